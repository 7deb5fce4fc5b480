"""The quest company: amoCRM, Calltouch, Instagram, Unisender, the site's forms.

day.py      the day itself, moment by moment, and what must stand at its end: read this first
cast.py     who plays: guests and followers, and the shapes in which their requests arrive
world.py    what a moment can do: call, write, act in the account
account.py  afterwards: what stands at the vendors
checks.py   afterwards: what must be true
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from hub.demo.company import Company, Settings, Sheet
from hub.demo.quest_rooms import day
from hub.demo.quest_rooms.account import Account, Outcome
from hub.demo.quest_rooms.checks import CHECKS
from hub.demo.quest_rooms.world import LIST, Rooms
from hub.demo.world import World


class QuestRooms(Company):
    """`hub demo --recipe quest_rooms`."""

    recipe = "quest_rooms"
    headline = "quest rooms: calls, Instagram, forms and letters around one amoCRM account"
    vendors: ClassVar[Mapping[str, str]] = {
        "crm": "amoCRM", "calls": "Calltouch", "insta": "Instagram", "letters": "Unisender",
    }  # fmt: skip
    doors = ("site", "calls", "insta", "crm", "letters", "?")
    people = day.PEOPLE
    day = day.DAY
    checks = CHECKS
    world = Rooms
    account = Account

    @contextmanager
    def stands(self, clock: Callable[[], float]) -> Iterator[Mapping[str, Any]]:
        """Run the four stand-ins, without the limits that would make a day of it."""
        from plugins.amocrm.sandbox import AmoCrmSandbox
        from plugins.calltouch.sandbox import CalltouchSandbox
        from plugins.instagram.sandbox import InstagramSandbox
        from plugins.unisender.sandbox import UnisenderSandbox

        def now() -> dt.datetime:
            return dt.datetime.fromtimestamp(clock(), dt.UTC)

        crm = AmoCrmSandbox(rate_per_second=None, clock=clock)
        found: dict[str, Any] = {
            "crm": crm,
            "calls": CalltouchSandbox(clock=now, calls_per_second=0),
            "insta": InstagramSandbox(clock=now),
            "letters": UnisenderSandbox(clock=clock),
        }
        found["letters"].world.lists[LIST] = {"id": int(LIST), "title": "Гости", "confirmation": False}
        with ExitStack() as stack:
            stack.callback(crm.hooks.close)
            for one in found.values():
                stack.enter_context(one.start())
            yield found

    def settings(self, credentials: Mapping[str, Mapping[str, Any]], url: str) -> Settings:
        """Point addresses, tokens and secrets at the stand-ins."""
        crm, calls, insta, letters = (credentials[name] for name in self.vendors)
        doors = {
            "site": secrets.token_hex(16),
            "crm": crm["hook_secret"],
            "calls": calls["secret"],
            "letters": secrets.token_hex(16),
        }
        variables = {
            "AMO_URL": crm["base_url"],
            "AMO_TOKEN": crm["token"],
            "AMO_HOOK_SECRET": doors["crm"],
            "AMOJO_CHANNEL": crm["chats"]["channel_id"],
            "AMOJO_SECRET": crm["chats"]["secret"],
            "SITE_SECRET": doors["site"],
            "CT_SITE": calls["site_id"],
            "CT_API": calls["client_api_id"],
            "CT_TOKEN": calls["access_token"],
            "CT_SECRET": doors["calls"],
            "CT_URL": calls["base_url"],
            "IG_SECRET": insta["app_secret"],
            "IG_VERIFY": insta["verify_token"],
            "IG_TOKEN": insta["access_token"],
            "IG_ACCOUNT": insta["account_id"],
            "IG_URL": insta["api_url"],
            "UNI_KEY": letters["api_key"],
            "UNI_SECRET": doors["letters"],
            "UNI_FROM": letters["from_email"],
            "UNI_URL": letters["base_url"],
        }
        more = {
            "amocrm": "limits: {per_second: 50, burst: 2000}",
            "calltouch": 'base_url: "${CT_URL}"\n    per_second: 5',
            "instagram": 'api_url: "${IG_URL}"\n    per_second: 100',
            "unisender": 'base_url: "${UNI_URL}"\n    per_second: 50',
        }
        return Settings(variables, doors, more, {"https://hub.quests.example": url})

    def sheets(self, outcome: Outcome) -> Sequence[Sheet]:
        """Return deals with their sources, chats, letters."""
        deals = [
            (one["id"], one["title"], one["amount"], one["stage"],
             " / ".join(filter(None, (one["utm_source"], one["utm_campaign"]))),
             one["ct_call"] or one["ct_request"], one["ct_session"],
             sum(row["deal"] == one["id"] for row in outcome.notes_at_deals), _at_calltouch(outcome, one["id"]))
            for one in outcome.deals
        ]  # fmt: skip
        chats = [
            (conversation, "the client" if who == "client" else "a colleague", text)
            for conversation, said in outcome.chats.items()
            for who, text in said
        ]
        marks = {row["email"]: row for row in outcome.contacts if row["email"]}
        letters = [
            (one["email"], one["subject"], one["status"],
             ", ".join(mark for mark in ("bounced", "unsubscribed") if marks.get(one["email"], {}).get(mark)))
            for one in outcome.letters
        ]  # fmt: skip
        columns = ("deal", "what", "sum", "stage", "campaign", "Calltouch's id", "session", "notes", "at Calltouch")
        return (
            Sheet("Deals in amoCRM", columns, deals, f"{len(outcome.contacts)} contacts, {len(outcome.tasks)} tasks"),
            Sheet("Chats in amoCRM, said on Instagram", ("conversation", "who", "what"), chats),
            Sheet("Letters", ("to", "subject", "at Unisender", "mark on the contact"), letters),
        )

    def records(self, outcome: Outcome) -> dict[str, Any]:
        """Return what stands at the four."""
        return {
            "crm": {
                "contacts": outcome.contacts,
                "deals": outcome.deals,
                "tasks": outcome.tasks,
                "notes": outcome.notes_at_deals,
                "chats": outcome.chats,
            },
            "calltouch": outcome.orders,
            "instagram": outcome.said,
            "unisender": {"readers": outcome.readers, "letters": outcome.letters},
        }

    def to_try(self, hub: str, world: World) -> Sequence[tuple[str, str]]:
        """Return a form of one's own, among others."""
        form = "-d 'name=Оля' --data-urlencode 'phone=8 916 123 45 67' -d 'quest=Замок'"
        return (
            ("the story of one guest", f'{hub} explain "{day.VERA.spelling(2)}"'),
            ("a form of your own", f"curl {form} {world.url}/in/site/{world.secrets['site']}"),
            ("and what became of it", f'{hub} explain "8 916 123 45 67"'),
        )


def _at_calltouch(outcome: Outcome, deal: str) -> str:
    order = outcome.orders.get(deal, {})
    return f"{order.get('status', '')}, {order['revenue']}" if order.get("revenue") else str(order.get("status", ""))


COMPANY = QuestRooms()
