"""Afterwards: what stands at amoCRM, Calltouch, Instagram and Unisender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub import normal
from hub.demo import account
from hub.demo.account import attached, short
from hub.demo.quest_rooms.world import EMAIL, FIELDS, PHONE, Rooms, field
from hub.reasons import say_stored

#: what an act means to a person
_ACTS = {
    "crm.deal.upsert": "a deal",
    "crm.message.send": "into amoCRM's chat",
    "crm.task.create": "a task",
    "crm.contact.upsert": "the contact brought up to date",
    "insta.message.send": "answered on Instagram",
    "calls.deal.upsert": "told to Calltouch",
    "letters.contact.subscribe": "on the mailing list",
    "letters.email.send": "a letter",
}
_ON_DEALS = ("quest", "channel", "utm_source", "utm_campaign", "ct_call", "ct_request", "ct_session")


@dataclass(kw_only=True)
class Outcome(account.Outcome):
    """The evening of the quest company."""

    contacts: list[dict[str, Any]]
    deals: list[dict[str, Any]]
    tasks: list[dict[str, str]]
    notes_at_deals: list[dict[str, str]]
    #: conversation -> what amoCRM's chat holds: (who, text)
    chats: dict[str, list[tuple[str, str]]]
    #: answers that amoCRM shows as delivered
    delivered: list[str]
    #: person -> what our account said to them on Instagram
    said: dict[str, list[str]]
    #: deal -> what Calltouch has of it
    orders: dict[str, dict[str, Any]]
    #: e-mail -> lists at Unisender
    readers: dict[str, dict[str, str]]
    letters: list[dict[str, str]]
    #: troubles that never hit anything: the day wasn't what it says
    missed: list[str]


class Account(account.Account[Rooms]):
    """Reads the four stand-ins."""

    def collect(self) -> Outcome:
        """Read the hub's store and all stand-ins."""
        world = self.world
        with world.store.read() as db, world.crm.lock:
            return Outcome(
                **self.common(db),
                **self._crm(),
                said={
                    chat.person: [str(row.get("text")) for row in chat.messages if row["from"] == chat.account]
                    for chat in world.insta.world.chats.values()
                },
                orders={number: dict(order) for number, order in world.calls.data["orders"].items()},
                readers={one.email: dict(one.lists) for one in world.letters.world.contacts},
                letters=[
                    {name: str(one[name]) for name in ("email", "subject", "body", "status")}
                    for one in world.letters.world.letters.values()
                ],
                missed=[f"{name}: {fault.kind}" for name, one in world.stands.items() for fault in one.faults],
            )  # fmt: skip

    def told(self) -> dict[str, int]:
        """Count the webhooks of the four."""
        world = self.world
        insta = [one for one in world.insta.webhooks if one["status"] != "lost"]
        return {
            "amoCRM": int(world.crm.hooks.counters["sent"]) + world.told["answers"],
            "Calltouch": len(world.calls.data["sent"]),
            "Instagram": len(insta) + world.told["copies"],
            "Unisender": world.letters.outbox.sent,
        }

    def became(self, delivery: Mapping[str, Any], before: list[str]) -> tuple[str, str]:
        """Tell of deals, notes, answers, letters and marks."""
        act, code = f"{delivery['connection']}.{delivery['action']}", (delivery["reason"] or {}).get("code", "")
        if joined := attached(delivery, "note"):
            return joined, ""
        if code == "refused":
            return "refused, a task instead", short(say_stored(delivery["reason"]))
        words = _ACTS.get(act, "")
        if act == "crm.deal.upsert" and delivery["route"].startswith("D3"):
            words = "the deal taken up"
        if delivery["state"] == "done" and words and words not in before:
            return words, short(say_stored(delivery["reason"]))
        return "", ""

    def _crm(self) -> dict[str, Any]:
        """Take what matters out of the account's records."""
        world = self.world.crm.world
        contacts = [
            {
                "id": str(row["id"]),
                "name": str(row["name"]),
                "phone": normal.phone(str(field(row, PHONE)), "RU") or "",
                "email": str(field(row, EMAIL)),
                **{mark: field(row, FIELDS[mark]) is True for mark in ("bounced", "unsubscribed")},
            }
            for row in world.records["contacts"].values()
        ]
        deals = []
        for row in world.records["leads"].values():
            stage = f"{row['pipeline_id']}/{row['status_id']}"
            linked = [str(one["id"]) for one in world.linked("leads", row["id"], "contacts")]
            deals.append(
                {
                    "id": str(row["id"]),
                    "title": str(row["name"]),
                    "contact": linked[0] if linked else "",
                    "stage": self.world.stages.get(stage, stage),
                    "amount": int(row["price"]),
                    "responsible": int(row["responsible_user_id"]),
                    **{name: str(field(row, FIELDS[name])) for name in _ON_DEALS},
                }
            )
        chats: dict[str, list[tuple[str, str]]] = {}
        names = {chat["id"]: conversation for conversation, chat in world.chats.items()}
        for one in self.world.crm.amojo.messages:
            chats.setdefault(names[one["chat"]], []).append((one["from"], str(one["text"])))
        return {
            "contacts": contacts,
            "deals": deals,
            "tasks": [{"deal": str(one["entity_id"]), "text": one["text"]} for one in world.tasks.values()],
            "notes_at_deals": [
                {"deal": str(one["entity_id"]), "text": str(one["params"].get("text"))}
                for one in world.notes.values()
                if one["kind"] == "leads"
            ],
            "chats": chats,
            "delivered": [one["message"] for one in self.world.crm.amojo.statuses if one["status"] == 1],
        }
