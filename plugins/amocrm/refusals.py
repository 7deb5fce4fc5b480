"""A vendor's no becomes one of the hub's errors. Pure: status and body decide, never the (localised) text alone.

https://developers.kommo.com/docs/http-codes, https://www.amocrm.ru/developers/content/api/recommendations
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Retry, Uncertain
from plugins.amocrm import codes

#: calls about customers: POST customers, GET customers/55/links
_CUSTOMERS = re.compile(r"[A-Z]+ customers(/|$)")


class Expired(HubError):
    """The access token isn't accepted: refresh it and repeat the call once. Never leaves the client."""

    code = "expired"


class Invalid(Refused):
    """A 400 that names what it objects to. `items`: the request_ids of the bad items of a batch; `paths`: where."""

    def __init__(
        self, reason: str, fields: dict[str, str], items: Iterable[str] = (), paths: Iterable[str] = ()
    ) -> None:  # fmt: skip
        super().__init__(reason, fields, vendor_code="400")
        self.items, self.paths = frozenset(items), tuple(paths)


def body_of(raw: bytes) -> Any:
    """Return the parsed body; None where it isn't JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def words_of(body: Any) -> str:
    """Return what the vendor says, for people: at most 300 characters."""
    if not isinstance(body, Mapping):
        return ""
    said = [
        str(body[name]) for name in ("title", "detail", "hint", "error_type", "error_description") if body.get(name)
    ]
    return " ".join(": ".join(dict.fromkeys(said)).split())[:300]


def is_block(status: int, body: Any) -> bool:
    """Tell the web server's block from a missing right: the block is no JSON (amocrm-api-php issues 434, 563)."""
    return status == 403 and not isinstance(body, (Mapping, list))


def refusal(
    status: int, raw: bytes, what: str, *, changes: bool = False, sent: Any = None, pause: float = 1.0,
    retry_after: float | None = None,
) -> HubError:  # fmt: skip
    """Return the error to raise for an answer that isn't a success.

    what: the call in words (`POST leads`). changes: it could have had an effect. sent: its body, to name the fields
    the vendor objects to. pause: seconds to wait after 429 where the vendor names none.
    """
    body = body_of(raw)
    if is_block(status, body):
        return AuthFailed(codes.BLOCKED, "support")
    legacy = codes.LEGACY.get(_legacy_code(body), "")
    remedy = codes.REMEDIES.get(_legacy_code(body), "credentials")
    advice = legacy or codes.ADVICE.get(status, "")
    said = words_of(body) or f"HTTP {status}"
    reason = f"{what}: {said}" + (f" ({advice})" if advice else "")
    if status == 429:
        return RateLimited(reason, retry_after if retry_after is not None else pause)
    if status == 401:
        return AuthFailed(reason, remedy) if legacy and _legacy_code(body) != "110" else Expired(reason)
    if status in (402, 403) and not legacy and _CUSTOMERS.search(what):
        return Refused(f"{what}: {said} ({codes.CUSTOMERS_OFF})", vendor_code=str(status))
    if status == 402 or (status == 403 and legacy):
        return AuthFailed(reason, "payment" if status == 402 else remedy)
    if status == 404:
        return Gone(f"{what}: there is no such record", vendor_code="404")
    if 300 <= status < 400:
        return Refused(f"{what}: the account answers from another address: compare base_url with the browser's")
    if status >= 500 or status in (408, 425):
        return Uncertain(reason) if changes else Retry(reason, retry_after)
    objected = fields_of(body, sent)
    if objected:
        reason += ": " + "; ".join(f"{name}: {why}" for name, why in objected.items())
    if status == 400:
        told = list(objections(body))
        return Invalid(reason, objected, (item for item, *_ in told if item), (path for _, path, *_ in told))
    return Refused(reason, objected, vendor_code=str(status))


def _legacy_code(body: Any) -> str:
    if not isinstance(body, Mapping):
        return ""
    inner = body.get("response")
    code = body.get("error_code", inner.get("error_code") if isinstance(inner, Mapping) else None)
    return str(code or body.get("code") or "")


def objections(body: Any) -> Iterator[tuple[str, str, str, str]]:
    """Yield (request_id, path, code, detail) of each thing the vendor objects to in a 400."""
    rows = body.get("validation-errors") if isinstance(body, Mapping) else None
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, Mapping):
            continue
        errors = row.get("errors")
        for error in errors if isinstance(errors, list) else []:
            if isinstance(error, Mapping):
                yield (
                    _text(row.get("request_id")), _text(error.get("path")), _text(error.get("code")),
                    _text(error.get("detail")),
                )  # fmt: skip


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def fields_of(body: Any, sent: Any) -> dict[str, str]:
    """Return the fields the vendor objects to, each with its words; a custom field by its id, not by its place."""
    found: dict[str, str] = {}
    for request_id, path, code, detail in objections(body):
        found[named(path, _item(sent, request_id)) or path or "?"] = " ".join(f"{code} {detail}".split())[:200]
    return found


def _item(sent: Any, request_id: str) -> Any:
    """Return the item of a batch that an objection is about: by its request_id, else by its place."""
    if not isinstance(sent, list):
        return sent
    for item in sent:
        if isinstance(item, Mapping) and str(item.get("request_id", "")) == request_id != "":
            return item
    place = int(request_id) if request_id.isascii() and request_id.isdigit() and len(request_id) < 6 else 0
    return sent[place] if place < len(sent) else None


def named(path: str, item: Any) -> str:
    """Return the field that `custom_fields_values.0.values.0.value` points at: the id or code of that custom field."""
    parts = path.split(".")
    if parts[0].isdigit() and len(parts) > 1:  # a path that begins with the item's place in the batch
        parts = parts[1:]
    if parts[0] != "custom_fields_values":
        return parts[0]
    rows = item.get("custom_fields_values") if isinstance(item, Mapping) else None
    if len(parts) > 1 and parts[1].isdigit() and isinstance(rows, list) and int(parts[1]) < len(rows):
        row = rows[int(parts[1])]
        if isinstance(row, Mapping):
            return str(row.get("field_code") or row.get("field_id") or "")
    return "custom_fields_values"
