"""Storm 9: two CRMs kept alike while processes die; and the first sync of two full ones.

At the end both sides say the same, no edit was written more than once a side, nobody was made twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hub.sandbox import RunningSandbox
from hub.testing.build import build
from plugins.amocrm.connector import AmoCrm
from plugins.amocrm.sandbox import AmoCrmSandbox
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from tests.journeys.both import EVENTS, SYNC, YAML
from tests.ruin.storms import sizes
from tests.ruin.tree import Tree, hammer, until
from tests.stands import tell

MAIL = 600103


class Two:
    """A portal, an account, and a hub of real processes between them."""

    def __init__(self, trees: Callable[..., Tree], poll: str) -> None:
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        self.amo = AmoCrmSandbox(rate_per_second=None)
        self.running: list[RunningSandbox] = [self.crm.start(), self.amo.start()]
        given = {**self.crm.credentials(), **self.amo.credentials()}
        whole = YAML.format(**given, rest=SYNC, breaker=100_000)
        hub, _, rest = whole.partition("connections:")
        for plugin in ("bitrix24", "amocrm"):
            rest = rest.replace(f"plugin: {plugin}\n", f"plugin: {plugin}\n    poll: {poll}\n")
        self.tree = trees("connections:" + rest, workers=2)
        file = self.tree.folder / "hub.yaml"
        more = hub.strip().removeprefix("hub: {").removesuffix("}").replace("unrouted: ignore, ", "")
        file.write_text(file.read_text().replace("unrouted: ignore}", f"unrouted: ignore, {more}}}"))
        names = ("webhook_url", "application_token")
        self.ours = build(Bitrix24, {name: given[name] for name in names}, region="RU")
        self.theirs = build(AmoCrm, {**self.amo.credentials(), "limits": {"per_second": "500"}}, region="RU")

    def start(self) -> Two:
        """Start the hub, and let both sides tell it."""
        self.tree.start()
        found = self.theirs.connect(self.tree.url("amo"))
        assert {one.level for one in found} == {"ok"}, found
        token = self.crm.credentials()["application_token"]
        url = self.tree.url("crm")
        tell(self.running[0].url, "outgoing_webhook", url=url, events=EVENTS, application_token=token)
        return self

    def begin(self) -> None:
        """`hub sync start`, and wait until its backlog is carried."""
        part = self.tree.launch("sync", "start", "two")
        assert part.wait(600) == 0, self.tree.tail()
        until(lambda: self.tree.rows("SELECT state FROM sync") == [("on",)], 1800.0, 0.5)
        self.quiet()

    def close(self) -> None:
        """Take the stand-ins down."""
        self.amo.hooks.close()
        for one in self.running:
            one.stop()
        self.crm.portal.events.close()

    def quiet(self, within: float = 300.0) -> None:
        """Wait until everything is told and nothing is left to do."""
        assert self.crm.portal.events.wait(within)
        assert self.amo.wait_hooks(within)
        self.tree.drain(within)

    # --- people ------------------------------------------------------------------------------------

    def contact(self, number: int, last: str = "X", phone: str = "") -> str:
        """A contact made in the portal."""
        phones = [{"VALUE": phone or f"+7916{number:07}", "VALUE_TYPE": "MOBILE"}]
        fields = {"NAME": f"Имя{number}", "LAST_NAME": last, "PHONE": phones}
        return str(self.crm.act("crm.contact.add", {"fields": fields}, user_id=1))

    def person(self, number: int, last: str = "X", phone: str = "") -> str:
        """A contact made in the account."""
        values = [{"value": phone or f"+7916{number:07}", "enum_code": "MOB"}]
        body = {"name": f"Имя{number} {last}", "responsible_user_id": 3000001,
                "custom_fields_values": [{"field_code": "PHONE", "values": values}]}  # fmt: skip
        return str(self.amo.act("POST", "contacts", [body], 3000002)["_embedded"]["contacts"][0]["id"])

    # --- what stands there ---------------------------------------------------------------------------

    def pairs(self) -> dict[str, str]:
        """Return who is whose twin."""
        return dict(self.tree.rows("SELECT one, other FROM twin WHERE state = 'kept'"))

    def differing(self) -> list[tuple[Any, Any]]:
        """Return what twins don't agree upon."""
        found = []
        for here, there in self.pairs().items():
            one, other = self.ours.get("contact", here), self.theirs.get("contact", there)
            said = [
                [r.get("first_name"), r.get("last_name"), sorted(r.get("phones") or []), sorted(r.get("emails") or [])]
                for r in (one, other)
            ]
            if said[0] != said[1]:
                found.append((said[0], said[1]))
        return found

    def writes(self) -> Counter[str]:
        """Return how often the hub has written into each side."""
        found = Counter[str]()
        found["crm"] = sum(
            n for method, n in self.crm.calls.items() if method in ("crm.contact.add", "crm.contact.update")
        )
        found["amo"] = sum(
            n for call, n in self.amo.calls.items() if call.split()[0] in ("POST", "PATCH") and "contacts" in call
        )
        return found

    def count(self) -> None:
        """Begin to count anew."""
        self.crm.calls.clear()
        self.amo.calls.clear()


@pytest.fixture
def two(trees: Callable[..., Tree]) -> Iterator[Callable[[str], Two]]:
    """Make the three of them; taken down afterwards."""
    made: list[Two] = []

    def make(poll: str = "5s") -> Two:
        made.append(Two(trees, poll))
        return made[-1]

    yield make
    for one in made:
        one.tree.stop()
        one.close()


@contextmanager
def nothing() -> Iterator[None]:
    """No hammer."""
    yield


@sizes(small=(40, 8, 0.5), full=(1000, 100, 1.0))
def test_edits_on_both_sides_while_processes_die(
    size: tuple[int, int, float], two: Callable[..., Two], figures: Callable[..., None]
) -> None:
    """size: edits on each side, contacts, seconds between two kills."""
    edits, contacts, every = size
    both = two().start()
    ids = [both.contact(number) for number in range(contacts)]
    both.quiet()
    both.begin()
    pairs = both.pairs()
    assert len(pairs) == contacts
    both.count()
    began = time.monotonic()
    with hammer(both.tree, every):
        for number in range(edits):
            here = ids[number % contacts]
            both.crm.act("crm.contact.update", {"id": here, "fields": {"NAME": f"Здесь{number}"}}, user_id=1)
            mails = [{"value": f"n{number}@example.com", "enum_code": "WORK"}]
            body = {"custom_fields_values": [{"field_id": MAIL, "values": mails}]}
            both.amo.act("PATCH", f"contacts/{pairs[here]}", body, 3000002)
            time.sleep(0.1)
    both.tree.resurrect()
    edited = time.monotonic()
    until(lambda: not both.differing() and not any(both.tree.left().values()), 240.0, 0.5)
    equal = time.monotonic() - edited
    both.quiet()
    writes = both.writes()
    assert both.pairs() == pairs
    assert writes["crm"] <= edits
    assert writes["amo"] <= edits
    assert {both.ours.get("contact", here)["first_name"] for here in ids} == {
        f"Здесь{number}" for number in range(edits - contacts, edits)
    }
    both.count()
    time.sleep(6.0)  # a poll looks for what was missed, and finds nothing
    both.quiet()
    assert sum(both.writes().values()) == 0
    figures(
        "9 two-way", edits=f"{edits} + {edits}", writes=dict(writes), kills=sum(both.tree.kills.values()),
        by_role=both.tree.kills, equal_after=f"{equal:.1f}s", seconds=f"{time.monotonic() - began:.0f}",
    )  # fmt: skip


@sizes(small=(60, 0.0), full=(5000, 20.0))
def test_the_first_sync_of_two_full_systems(
    size: tuple[int, float], two: Callable[..., Two], figures: Callable[..., None]
) -> None:
    """size: people, seconds between two kills of a worker (0: none). One in ten is there twice on each side."""
    people, every = size
    both = two("0s").start()
    doubles = people // 10
    for number in range(people):
        if number % 3 != 1:
            both.contact(number)
        if number % 3 != 0:
            both.person(number, "Y" if number % 6 == 5 else "X")
    for number in range(doubles):
        both.contact(number, "Двойник", f"+7916{number * 3:07}")
        both.person(number, "Двойник", f"+7916{number * 3 + 1:07}")
    both.quiet(1200.0)
    both.count()
    before = len(both.crm.portal.records["contact"]), len(both.amo.world.records["contacts"])
    began = time.monotonic()
    with hammer(both.tree, every, ("worker", "ticker")) if every else nothing():
        both.begin()
    both.quiet(1200.0)
    here, there, apart = ([n for n in range(people) if n % 3 == k] for k in (0, 1, 2))
    differing = sum(number % 6 == 5 for number in apart)
    assert len(both.pairs()) == people
    after = len(both.crm.portal.records["contact"]), len(both.amo.world.records["contacts"])
    assert after == (before[0] + len(there), before[1] + len(here)), "nobody was made twice"
    assert sum(both.writes().values()) == len(here) + len(there) + differing
    assert both.differing() == []
    plans = {row[0]: row[1] for row in both.tree.rows("SELECT plan, count(*) FROM backlog GROUP BY plan")}
    assert plans["merge"] == 2 * doubles
    figures(
        "9 first sync", people=people, plans=plans, writes=dict(both.writes()), kills=sum(both.tree.kills.values()),
        seconds=f"{time.monotonic() - began:.0f}",
    )  # fmt: skip
