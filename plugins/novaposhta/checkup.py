"""`hub check --live` and `hub names`: does the key work, is the sender whom the settings say. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.errors import AuthFailed, Refused
from hub.model import Finding
from plugins.novaposhta.client import Row
from plugins.novaposhta.desk import SENDER, Desk
from plugins.novaposhta.directory import GUID

_NAMES = "`hub names` prints the refs of your account"
_MOST_BRANCHES = 100


def check(desk: Desk) -> list[Finding]:
    """Return what is right and what is wrong, each with its remedy."""
    try:
        senders = desk.client.counterparties({"CounterpartyProperty": "Sender", "Page": "1"})
    except AuthFailed as error:
        return [Finding("problem", str(error), "put a working key into api_key")]
    found = [Finding("ok", f"the API key works; {len(senders)} sender(s) in the account")]
    sender = desk.settings.get("sender") or {}
    missing = [name for name in SENDER if not sender.get(name)]
    if len(missing) == len(SENDER):
        return [
            *found,
            Finding("warning", "no sender is set: parcels can be tracked but not made", f"set sender; {_NAMES}"),
        ]
    if missing:
        words = f"sender lacks {', '.join(missing)}: parcel.create will be refused"
        found.append(Finding("problem", words, f"add it; {_NAMES}"))
    found += _check_counterparty(desk, sender, senders)
    found += _check_place(desk, sender)
    return found


def _check_counterparty(desk: Desk, sender: dict[str, str], senders: list[Row]) -> Iterator[Finding]:
    ref = sender.get("counterparty")
    if not ref:
        return
    if ref not in (row.get("Ref") for row in senders):
        known = ", ".join(f"{row.get('Description')} {row.get('Ref')}" for row in senders[:5])
        yield Finding("problem", f"sender.counterparty {ref} is no sender of this account", f"use one of: {known}")
        return
    yield Finding("ok", "sender.counterparty exists")
    people = desk.client.contact_persons(ref)
    person = next((row for row in people if row.get("Ref") == sender.get("contact")), None)
    if sender.get("contact") and person is None:
        known = ", ".join(f"{row.get('Description')} {row.get('Ref')}" for row in people[:5])
        yield Finding("problem", "sender.contact is no contact of sender.counterparty", f"use one of: {known}")
    elif person is not None:
        phones = str(person.get("Phones") or "")
        yield Finding("ok", f"sender.contact is {person.get('Description')}")
        if sender.get("phone") and sender["phone"] not in phones:
            words = f"sender.phone {sender['phone']} is not the contact's phone ({phones})"
            yield Finding("warning", words, "tracking shows the full record only to a phone of the waybill")
    allowed = str(desk.client.options(ref).get("CanAfterpaymentOnGoodsCost")).lower() in ("true", "1")
    words = "allowed" if allowed else "not allowed: `cod_kind: control` will be refused"
    remedy = "" if allowed else "sign a NovaPay contract, or use `cod_kind: money`"
    yield Finding("ok" if allowed else "warning", f"payment control (cod_kind: control) is {words}", remedy)


def _check_place(desk: Desk, sender: dict[str, str]) -> Iterator[Finding]:
    city, address = sender.get("city"), sender.get("address")
    if city:
        try:
            city = city if GUID.fullmatch(city) else desk.directory.city(desk.client, city).ref
        except Refused as error:
            yield Finding("problem", f"sender.{error}", "write the city's ref, or its name with the oblast")
            return
        rows = desk.client.cities({"Ref": city, "Page": "1", "Limit": "1"})
        if not rows:
            yield Finding(
                "problem", f"sender.city {city} is no city ref", "it must be a DeliveryCity, not a settlement ref"
            )
            return
        yield Finding("ok", f"sender.city is {rows[0].get('Description')}")
    if not address:
        return
    branches = desk.client.warehouses({"Ref": address})
    if branches:
        branch = branches[0]
        if city and branch.get("CityRef") != city:
            yield Finding("problem", f"{branch.get('Description')} is not in sender.city", "correct one of the two")
        else:
            yield Finding("ok", f"sender.address is {branch.get('Description')}")
        return
    counterparty = sender.get("counterparty")
    saved = desk.client.addresses(counterparty) if counterparty else []
    if any(row.get("Ref") == address for row in saved):
        yield Finding("ok", "sender.address is a saved address; use a ServiceType that begins with Doors")
    else:
        yield Finding("problem", f"sender.address {address} is neither a branch nor a saved address", _NAMES)


def names(desk: Desk) -> dict[str, dict[str, tuple[str, str]]]:
    """Return the refs that `sender` wants, as the account has them: our word -> (ref, label)."""
    found: dict[str, dict[str, tuple[str, str]]] = {
        "counterparties": {},
        "contacts": {},
        "addresses": {},
        "branches": {},
    }
    senders = desk.client.counterparties({"CounterpartyProperty": "Sender", "Page": "1"})
    for n, row in enumerate(senders, 1):
        ref = str(row.get("Ref") or "")
        found["counterparties"][f"sender_{n}"] = (ref, _label(row))
        for m, person in enumerate(desk.client.contact_persons(ref), 1):
            label = f"{_label(person)}, {person.get('Phones') or 'no phone'}"
            found["contacts"][f"contact_{n}_{m}"] = (str(person.get("Ref") or ""), label)
        for m, door in enumerate(desk.client.addresses(ref), 1):
            found["addresses"][f"address_{n}_{m}"] = (str(door.get("Ref") or ""), _label(door))
    if city := (desk.settings.get("sender") or {}).get("city"):
        ref = desk.directory.city(desk.client, str(city)).ref
        for row in desk.client.warehouses({"CityRef": ref, "Page": "1", "Limit": str(_MOST_BRANCHES)}):
            found["branches"][f"branch_{row.get('Number')}"] = (str(row.get("Ref") or ""), _label(row))
    return found


def _label(row: dict[str, Any]) -> str:
    return str(row.get("Description") or "")
