"""Duplicates: crm.duplicate.findbycomm and crm.entity.mergeBatch."""

from __future__ import annotations

from typing import Any

from plugins.bitrix24.sandbox import records
from plugins.bitrix24.sandbox.fields import KINDS, TYPE_IDS
from plugins.bitrix24.sandbox.portal import Portal
from plugins.bitrix24.sandbox.words import Call, RestError, as_id, method

_FINDABLE = ("LEAD", "CONTACT", "COMPANY")
_MOST = 20


@method("crm.duplicate.findbycomm")
def find_by_comm(call: Call) -> Any:
    """Find by phone or e-mail: whole values only, at most 20 of them, ids only, `[]` when there are none.

    A phone is compared as written, less an extension. Once a type has 20 hits the later types are left out.
    """
    type_id = str(call.get("type") or "").upper()
    if not type_id:
        raise RestError("Communication type is not defined", "Parameter 'type' is required.")
    if type_id not in ("PHONE", "EMAIL"):
        text = f"Communication type '{type_id}' is not supported in current context"
        raise RestError(text, text)
    values = call.names("values")
    if not values:
        raise RestError("Communication values is not defined", "Parameter 'values' is required.")
    wanted = {_plain(value) for value in values[:_MOST]}
    only = str(call.get("entity_type") or "").upper()
    found: dict[str, list[int]] = {}
    for name in _FINDABLE:
        if only and name != only:
            continue
        hits = _holders(call.portal, name.lower(), type_id, wanted)
        if hits:
            found[name] = hits[:_MOST]
        if len(hits) >= _MOST:
            break
    return found or []


def _holders(portal: Portal, kind: str, type_id: str, wanted: set[str]) -> list[int]:
    return [
        number
        for number, record in portal.records[kind].items()
        if any(row["TYPE_ID"] == type_id and _plain(row["VALUE"]) in wanted for row in record["fm"])
    ]


def _plain(value: str) -> str:
    """Cut a phone's extension (`,101`, `;101`, `#101`); e-mails have no case."""
    for mark in ",;#":
        value = value.partition(mark)[0]
    return value.strip().casefold()


_COMPARED = ("TITLE", "NAME", "SECOND_NAME", "LAST_NAME", "POST", "BIRTHDATE")


@method("crm.entity.mergeBatch")
def merge_batch(call: Call) -> Any:
    """Merge into the first id; the losers are deleted. Fields that differ are a CONFLICT and nothing is done."""
    params = call.table("params")
    kind = KINDS.get(as_id(params.get("entityTypeId")))
    ids = [as_id(each) for each in params.get("entityIds") or []]
    if len(ids) < 2:
        raise RestError(0, "The parameter entityIds must contains at least two elements.")
    merged = [call.portal.record(kind, number) for number in ids] if kind else [None]
    if kind is None or None in merged:
        return {"STATUS": "ERROR", "ENTITY_IDS": []}
    winner, *losers = [record for record in merged if record]
    if any(_differs(winner, loser) for loser in losers):
        return {"STATUS": "CONFLICT", "ENTITY_IDS": []}
    for loser in losers:
        _absorb(winner, loser)
        _rebind(call.portal, kind, loser["ID"], winner["ID"])
        records.remove(call, kind, loser)
    records.touch(call, kind, winner)
    return {"STATUS": "SUCCESS", "ENTITY_IDS": [loser["ID"] for loser in losers]}


def _differs(winner: dict[str, Any], loser: dict[str, Any]) -> bool:
    names = [name for name in winner if name in _COMPARED or name.startswith("UF_")]
    return any(winner[name] and loser.get(name) and winner[name] != loser[name] for name in names)


def _absorb(winner: dict[str, Any], loser: dict[str, Any]) -> None:
    for name, value in loser.items():
        if winner.get(name) in (None, "", []):
            winner[name] = value
    known = {(row["TYPE_ID"], row["VALUE"]) for row in winner["fm"]}
    winner["fm"] += [row for row in loser["fm"] if (row["TYPE_ID"], row["VALUE"]) not in known]


def _rebind(portal: Portal, kind: str, old: int, new: int) -> None:
    """Give what was bound to the loser to the winner: deals, leads, comments, activities."""
    single = f"{kind.upper()}_ID"
    for records_of_kind in portal.records.values():
        for record in records_of_kind.values():
            if record.get(single) == old:
                record[single] = new
            if every := record.get(f"{single}S"):
                record[f"{single}S"] = list(dict.fromkeys(new if each == old else each for each in every))
    for comment in portal.comments.values():
        if (comment["ENTITY_TYPE"], comment["ENTITY_ID"]) == (kind, old):
            comment["ENTITY_ID"] = new
    for activity in portal.activities.values():
        if (activity["OWNER_TYPE_ID"], activity["OWNER_ID"]) == (TYPE_IDS[kind], old):
            activity["OWNER_ID"] = new
