"""Afterwards: what stands in the portal and at the carrier, and what the acts of the recipe mean to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub import normal
from hub.demo import account
from hub.demo.account import attached, short
from hub.demo.beauty.world import TTN, Shop
from hub.reasons import say_stored
from hub.store import Db
from hub.store.json import loads

#: what the first act of a route means to a person
_ACTS = {
    "crm.lead.upsert": "a lead",
    "crm.deal.upsert": "a deal",
    "nova.parcel.create": "a waybill, its number in the deal",
}
_WAYBILL = ("number", "status", "phone", "owner_number", "client_barcode")


@dataclass(kw_only=True)
class Outcome(account.Outcome):
    """The evening of the beauty company."""

    contacts: list[dict[str, str]]
    leads: list[dict[str, str]]
    deals: list[dict[str, str]]
    todos: list[dict[str, str]]
    comments: list[dict[str, str]]
    waybills: list[dict[str, str]]
    #: (deal, from, to): every stage the hub wrote, in order
    moves: list[tuple[str, str, str]]


class Account(account.Account[Shop]):
    """Reads the portal and the carrier."""

    def collect(self) -> Outcome:
        """Read the hub's store and both stand-ins."""
        carrier = self.world.carrier.state()
        with self.world.store.read() as db:
            return Outcome(
                **self.common(db),
                **_crm(self.world.portal.state(), self.world.stages),
                waybills=[{name: str(row[name]) for name in _WAYBILL} for row in carrier["waybills"]],
                moves=self._moves(db),
            )

    def told(self) -> dict[str, int]:
        """Count the portal's events."""
        told = self.world.portal.state()["counters"]["events"]
        return {"Bitrix24": int(told["sent"] + told["failed"])}

    def became(self, delivery: Mapping[str, Any], before: list[str]) -> tuple[str, str]:
        """Tell of joined questions, moved deals, waybills, to-dos."""
        act, code = f"{delivery['connection']}.{delivery['action']}", (delivery["reason"] or {}).get("code", "")
        if joined := attached(delivery, "comment"):
            return joined, ""
        if act == "crm.deal.set_stage":
            if delivery["state"] == "done":
                return f"deal moved to {self._stage(delivery['written'], 'written')}", ""
            return "deal left where it is", self.in_words(say_stored(delivery["reason"]))
        if code == "refused":
            return "no waybill, a to-do instead", short(say_stored(delivery["reason"]))
        if act == "crm.todo.create" and "r" not in delivery["step"]:
            return "a reminder", ""
        if act in _ACTS and delivery["state"] == "done" and delivery["step"] in ("0", "1") and not before:
            return _ACTS[act], short(say_stored(delivery["reason"]))
        return "", ""

    def _stage(self, written: Any, when: str) -> str:
        code = ((written or {}).get(when) or {}).get("STAGE_ID", "")
        return self.world.stages.get(code, code)

    def _moves(self, db: Db) -> list[tuple[str, str, str]]:
        rows = db.rows(
            "SELECT result, written FROM delivery WHERE action = 'deal.set_stage' AND state = 'done' ORDER BY id"
        )
        found = []
        for result, written in rows:
            deal, wrote = str((loads(result) or {}).get("id", "")), loads(written)
            found.append((deal, self._stage(wrote, "before"), self._stage(wrote, "written")))
        return found


def _crm(portal: Mapping[str, Any], stages: Mapping[str, str]) -> dict[str, Any]:
    """Take what matters out of the portal's records."""
    phones = {}
    for row in portal["contacts"]:
        numbers = {normal.phone(one["VALUE"], "UA") or one["VALUE"] for one in row.get("PHONE", ())}
        phones[str(row["ID"])] = ", ".join(sorted(numbers))
    deals = [
        {
            "id": str(row["ID"]),
            "title": str(row["TITLE"]),
            "phone": phones.get(str(row["CONTACT_ID"]), ""),
            "stage": stages.get(row["STAGE_ID"], str(row["STAGE_ID"])),
            "ttn": str(row.get(TTN) or ""),
            "amount": str(row["OPPORTUNITY"]),
        }
        for row in portal["deals"]
    ]
    return {
        "contacts": [
            {
                "id": str(row["ID"]),
                "name": f"{row['NAME'] or ''} {row['LAST_NAME'] or ''}",
                "phone": phones[str(row["ID"])],
            }
            for row in portal["contacts"]
        ],
        "leads": [
            {"id": str(row["ID"]), "title": str(row["TITLE"]), "phone": phones.get(str(row["CONTACT_ID"]), "")}
            for row in portal["leads"]
        ],
        "deals": deals,
        "todos": [{"deal": str(row["OWNER_ID"]), "title": str(row["SUBJECT"])} for row in portal["activities"]],
        "comments": [
            {"record": f"{row['ENTITY_TYPE']} {row['ENTITY_ID']}", "text": str(row["COMMENT"])}
            for row in portal["comments"]
        ],
    }
