"""The beauty company: courses, a shop, a salon; Bitrix24, Nova Poshta, forms.

day.py      the day itself, moment by moment: read this first
cast.py     who plays: people, and the shapes in which their forms arrive
world.py    what a moment can do: act in the CRM, move a parcel
account.py  afterwards: what stands at the vendors
checks.py   afterwards: what must be true
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from hub.demo.beauty import day
from hub.demo.beauty.account import Account, Outcome
from hub.demo.beauty.checks import CHECKS
from hub.demo.beauty.world import Shop
from hub.demo.company import Company, Settings, Sheet
from hub.demo.world import World

#: a portal of the Enterprise plan, so that a whole day's calls go out in seconds
_PORTAL_RATE, _PORTAL_BURST = 50, 2000


class Beauty(Company):
    """`hub demo`."""

    recipe = "beauty"
    headline = "a beauty company: courses, a shop, a salon"
    vendors: ClassVar[Mapping[str, str]] = {"crm": "Bitrix24", "nova": "Nova Poshta"}
    doors = ("questions", "site", "crm", "nova", "?")
    people = day.PEOPLE
    day = day.DAY
    checks = CHECKS
    world = Shop
    account = Account

    @contextmanager
    def stands(self, clock: Callable[[], float]) -> Iterator[Mapping[str, Any]]:
        """Run the portal and the carrier."""
        from plugins.bitrix24.sandbox import Bitrix24Sandbox
        from plugins.novaposhta.sandbox import NovaPoshtaSandbox

        def now() -> dt.datetime:
            return dt.datetime.fromtimestamp(clock(), dt.UTC)

        portal = Bitrix24Sandbox(rate_per_second=_PORTAL_RATE, burst=_PORTAL_BURST, clock=now)
        carrier = NovaPoshtaSandbox()
        with ExitStack() as stack:
            stack.enter_context(portal.start())
            stack.callback(portal.events.close)
            stack.enter_context(carrier.start())
            yield {"crm": portal, "nova": carrier}

    def settings(self, credentials: Mapping[str, Mapping[str, Any]], url: str) -> Settings:
        """Point webhook, token and key at the stand-ins."""
        portal, carrier = credentials["crm"], credentials["nova"]
        sender = carrier["sender"]
        doors = {"site": secrets.token_hex(16), "questions": secrets.token_hex(16)}
        variables = {
            "B24_WEBHOOK_URL": portal["webhook_url"],
            "B24_APP_TOKEN": portal["application_token"],
            "NP_API_KEY": carrier["api_key"],
            "NP_API_URL": carrier["api_url"],
            "NP_SENDER": sender["counterparty"],
            "NP_CONTACT": sender["contact"],
            "NP_WAREHOUSE": sender["address"],
            "SITE_SECRET": doors["site"],
            "QUESTIONS_SECRET": doors["questions"],
        }
        more = {
            "bitrix24": f"limits: {{per_second: {_PORTAL_RATE}, burst: {_PORTAL_BURST}}}",
            "novaposhta": 'api_url: "${NP_API_URL}"\n    per_second: 40\n    parallel: 8',
        }
        return Settings(variables, doors, more)

    def sheets(self, outcome: Outcome) -> Sequence[Sheet]:
        """Return deals and leads."""
        deals = [
            (one["id"], one["title"], one["amount"], one["stage"], one["ttn"], _comments(outcome, "deal", one["id"]),
             sum(row["deal"] == one["id"] for row in outcome.todos))
            for one in outcome.deals
        ]  # fmt: skip
        leads = [
            (one["id"], one["title"], one["phone"], _comments(outcome, "lead", one["id"])) for one in outcome.leads
        ]
        return (
            Sheet("Deals in the CRM", ("deal", "what", "sum", "stage", "waybill", "comments", "to-dos"), deals),
            Sheet(
                "Leads in the CRM",
                ("lead", "what", "client", "comments"),
                leads,
                f"{len(outcome.contacts)} contacts",
            ),
        )

    def records(self, outcome: Outcome) -> dict[str, Any]:
        """Return what stands in the portal and at the carrier."""
        names = ("contacts", "leads", "deals", "todos", "comments")
        return {"crm": {name: getattr(outcome, name) for name in names}, "waybills": outcome.waybills}

    def to_try(self, hub: str, world: World) -> Sequence[tuple[str, str]]:
        """Return a form of one's own, among others."""
        form = "-d 'name=Оля' --data-urlencode 'phone=067 123 45 67' -d 'message=Добрий день'"
        return (
            ("the story of one client", f'{hub} explain "{day.ANNA.spelling(2)}"'),
            ("a form of your own", f"curl {form} {world.url}/in/questions/{world.secrets['questions']}"),
            ("and what became of it", f'{hub} explain "067 123 45 67"'),
        )


def _comments(outcome: Outcome, kind: str, number: str) -> int:
    return sum(row["record"] == f"{kind} {number}" for row in outcome.comments)


COMPANY = Beauty()
