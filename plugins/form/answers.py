"""From answers to records: which field is the phone, which the city, what is in the cart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub import normal
from plugins.form.codes import ALIASES, FULL_NAMES
from plugins.form.shapes import Field, Submission, alias, normalise, text

#: letters of one answer that go on into an event
MAX_ANSWER = 20_000
_KINDS = {"tel": "contact.phone", "email": "contact.email"}
_RESERVED = frozenset({"id", "kind", "title", "page", "fields", "extra", "was"})


def sort(
    submission: Submission, read: Mapping[str, str], region: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, str], dict[str, Any]]:
    """Return the records contact, form, source (what `read` says of it) and order.

    What `read` names counts first, then the field's own type, then the table of aliases, then what an answer looks
    like. The first field that has an answer wins. Every answer stays in `form.fields`.
    """
    found: dict[str, str] = {}
    for ours, theirs in read.items():
        if value := text(_lookup(submission, theirs)):
            found[ours] = normal.short(value, MAX_ANSWER)
    for field in submission.fields:
        ours = _KINDS.get(field.kind) or ALIASES.get(alias(field.name)) or ALIASES.get(alias(field.label), "")
        if ours and field.text:
            found.setdefault(ours, normal.short(field.text, MAX_ANSWER))
    _guess(submission.fields, found)
    order = _order(submission.payment)
    for ours, value in found.items():
        record, _, name = ours.partition(".")
        if record == "order" and (fit := _money(value) if name == "amount" else value):
            order[name] = fit
    contact = _contact(found, region)
    sources = {name.partition(".")[2]: value for name, value in found.items() if name.startswith("source.")}
    return contact, _form(submission, found, contact), sources, order


def _lookup(submission: Submission, path: str) -> Any:
    """Return the value at a sender's path: a field's name, or a dotted path into the body."""
    wanted = normalise(path)
    for field in submission.fields:
        if path in (field.name, field.label) or (wanted and normalise(field.name) == wanted):
            return field.value
    return dig(submission.raw, path)


def dig(value: Any, path: str) -> Any:
    """Return the value at a dotted path, or None; names match whatever their case, numbers count list items."""
    while path and isinstance(value, (dict, list)):
        if isinstance(value, list):
            head, _, path = path.partition(".")
            value = value[int(head)] if head.isdecimal() and int(head[:9]) < len(value) else None
            continue
        if path in value:
            return value[path]
        head, _, rest = path.partition(".")
        lower = {name.lower(): name for name in value}
        if path.lower() in lower:
            return value[lower[path.lower()]]
        if head.lower() not in lower:
            return None
        value, path = value[head if head in value else lower[head.lower()]], rest
    return None if path else value


def _guess(fields: list[Field], found: dict[str, str]) -> None:
    """Take an answer that can be nothing else for the phone or the e-mail when no field is named so."""
    for field in fields:
        value = field.text
        if len(value) > 100:
            continue
        if "contact.email" not in found and "@" in value and normal.email(value):
            found["contact.email"] = value
        elif "contact.phone" not in found and re.fullmatch(r"\+[\d\s().-]{9,24}", value) and normal.phone(value):
            found["contact.phone"] = value


def _contact(found: Mapping[str, str], region: str) -> dict[str, Any]:
    given = {name.partition(".")[2]: value for name, value in found.items() if name.startswith("contact.")}
    full = given.pop(FULL_NAMES.partition(".")[2], "").split()
    if len(full) == 3 and not given.get("name"):
        given["last_name"], given["first_name"], given["middle_name"] = full
        given["name"] = " ".join(full)
    elif full:
        given.setdefault("name", " ".join(full))
    if given.get("last_name") and given.get("name") and not given.get("first_name") and " " not in given["name"]:
        given["first_name"] = given.pop("name")  # the form asked for name and surname apart
    return normal.contact(region, **given)


def _form(submission: Submission, found: Mapping[str, str], contact: Mapping[str, Any]) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for field in submission.fields:
        name = normalise(field.name)
        if name and name not in _RESERVED and field.text:
            form.setdefault(normal.short(name), normal.short(field.text, MAX_ANSWER))
    for ours, value in found.items():
        record, _, name = ours.partition(".")
        if record == "form":
            form[name] = value
    for name in ("name", "phone", "email"):
        if known := contact.get(name) or contact.get(f"{name}_raw"):
            form[name] = known
    form["fields"] = cut({field.name: field.value for field in submission.fields})
    return form


def cut(value: Any) -> Any:
    """Return an answer with all its texts cut to what goes on into an event; the receipt has them whole."""
    if isinstance(value, str):
        return normal.short(value, MAX_ANSWER)
    if isinstance(value, list):
        return [cut(item) for item in value]
    if isinstance(value, dict):
        return {normal.short(name): cut(item) for name, item in value.items()}
    return value


# --- the cart (Tilda: payment[orderid], payment[amount], payment[products][0][name], ...) -----------------------------


def _order(payment: Mapping[str, Any]) -> dict[str, Any]:
    if not payment:
        return {}
    order: dict[str, Any] = {"goods": _goods(payment), "extra": dict(payment)}
    if number := text(payment.get("orderid")):
        order["number"] = number
    if amount := _money(payment.get("amount")):
        order["amount"] = amount
    if currency := text(payment.get("currency")):
        order["currency"] = currency
    return {name: cut(value) for name, value in order.items()}


def _goods(payment: Mapping[str, Any]) -> list[dict[str, str]]:
    products = payment.get("products")
    if isinstance(products, dict):
        products = list(products.values())
    goods = []
    for product in products if isinstance(products, list) else []:
        if not isinstance(product, dict):
            product = {"name": text(product)}
        line = {ours: text(product.get(theirs)) for ours, theirs in _GOODS.items()}
        line |= {name: _money(product.get(name)) or line[name] for name in ("price", "amount")}
        goods.append({name: value for name, value in line.items() if value})
    return goods


_GOODS = {"name": "name", "sku": "sku", "quantity": "quantity", "price": "price", "amount": "amount"}


def goods_lines(payment: Mapping[str, Any]) -> list[str]:
    """Return the cart as lines for the summary: `Serum x 2: 900`."""
    return [
        f"{line.get('name', '?')} x {line.get('quantity', '1')}: {line.get('amount', '')}".rstrip(": ")[:300]
        for line in _goods(payment)[:100]
    ]


def _money(value: Any) -> str:
    """Return decimal text (`1234.50`), or nothing if it is no amount."""
    plain = re.sub(r"[\s\u00a0]", "", text(value))[:40].replace(",", ".")
    try:
        amount = Decimal(plain)
    except InvalidOperation:
        return ""
    return format(amount, "f") if amount.is_finite() and abs(amount.adjusted()) < 18 else ""
