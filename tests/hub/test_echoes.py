"""A state the hub has set, told by its vendor: no news, however early it is told; what people do is news (P7)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from hub.connector import ActionKind, EventKind
from hub.echoes import ECHO_LASTS, expected, weigh
from hub.model import Action, Done, Event
from hub.store import Store
from tests.hub.fakes import PLUGINS, WORLDS, Box, Sink

YAML = """
hub: {base_url: "https://hub.example", unrouted: ignore}
connections:
  site: {plugin: source, secret: letmein}
  club: {plugin: club, secret: letmein}
  crm: {plugin: sink, secret: letmein}
routes:
  - {name: a guest joins, on: site.form.submitted, do: club.member.join, set: {list: guests}}
  - {name: who joins is noted, on: club.subscription.changed, do: crm.note.create, set: {TEXT: event.subject}}
"""


class Club(Sink):
    """A vendor that tells of every list joined, whoever did it."""

    name = "club"
    hints = False
    events = (*Sink.events, EventKind("subscription.changed", "email"))
    actions = (ActionKind("member.join", idempotent=True, linked=False),)
    broken = False

    def perform(self, action: Action) -> Done:
        self.world.after(action)
        return Done({"id": "anna"}, "anna", echoes={"anna": {"guests": "in"}})

    def tells(self, event: Event) -> dict[str, Any]:
        if self.broken:
            raise ZeroDivisionError
        return dict(event.record.get("email") or {}) if event.type == "subscription.changed" else {}


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    store: Store = request.getfixturevalue(request.param)
    made = Box(tmp_path, YAML, store, plugins=(*PLUGINS, Club))
    request.addfinalizer(made.close)
    return made.start()


def joined(**lists: str) -> dict[str, Any]:
    return {"type": "subscription.changed", "subject": "member:anna", "record": {"email": lists}}


def told(box: Box) -> list[str]:
    """Return what became of what the club told, oldest first."""
    with box.store.read() as db:
        rows = db.rows("SELECT state FROM event WHERE connection = 'club' ORDER BY id")
        return [state for (state,) in rows]


def test_an_echo_after_its_act_is_none_of_the_routes_business(box: Box) -> None:
    box.send({"type": "form.submitted", "subject": "form:1"})
    box.settle()
    box.send(joined(guests="in"), to="club")
    box.settle()
    box.send(joined(guests="in"), to="club")
    box.settle()
    assert told(box) == ["echo", "planned"]
    assert [record for _, record, _ in WORLDS["crm"].acts] == ["note"]


def test_an_echo_before_the_end_of_its_act_waits_and_what_follows_waits_behind_it(box: Box) -> None:
    def early(action: Action) -> None:
        assert box.send(joined(guests="in"), to="club") == 200
        assert box.send(joined(guests="out"), to="club") == 200
        deadline = time.monotonic() + 10
        while len(told(box)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    WORLDS["club"].after = early
    box.send({"type": "form.submitted", "subject": "form:1"})
    box.settle()
    assert told(box) == ["echo", "planned"]


def test_a_plugin_that_stumbles_over_its_own_event_tells_news(box: Box) -> None:
    Club.broken = True
    try:
        box.send(joined(guests="in"), to="club")
        box.settle()
    finally:
        Club.broken = False
    assert told(box) == ["planned"]


# --- which echoes are awaited -----------------------------------------------------------------------


def acts(*states: dict[str, Any], at: float = 0.0) -> dict[str, Any]:
    """What the ledger notes of acts whose echoes may come."""
    seen: dict[str, Any] = {"record": None}
    for one in states:
        seen["echoes"] = expected(seen, one, at)
    return seen


def hears(seen: dict[str, Any], *told: dict[str, Any], now: float = 60.0) -> list[bool]:
    """Tell one state after the other; return which were news."""
    found = []
    for one in told:
        heard = weigh(Event("subscription.changed", "member:anna", "k"), one, seen, now)
        seen = heard.remember if heard.remember is not None else seen
        found.append(bool(heard.events))
        assert (heard.closed or {}).get("code") == (None if heard.events else "echo")
    return found


JOINED, LEFT = {"guests": "in"}, {"guests": "out"}


@pytest.mark.parametrize(
    ("set_", "told", "news"),
    [
        ([], [JOINED], [True]),
        ([JOINED], [JOINED, JOINED], [False, True]),  # each echo comes once
        ([JOINED, JOINED], [JOINED, JOINED, JOINED], [False, False, True]),
        ([JOINED], [LEFT, JOINED], [True, True]),  # after somebody else's hand the same again is theirs
        ([JOINED, LEFT], [JOINED, LEFT], [False, False]),
        ([JOINED, LEFT], [LEFT, JOINED], [False, False]),  # told out of order
        ([{"guests": "in", "vip": "in"}], [{"vip": "in"}, {"guests": "in"}], [False, False]),  # list by list
        ([{"guests": "in", "vip": "in"}], [{"guests": "in", "vip": "in"}], [False]),
        ([JOINED], [{"guests": "in", "vip": "in"}, JOINED], [True, True]),  # more than we did
        ([JOINED], [{"vip": "in"}, JOINED], [True, False]),  # elsewhere
        ([{"*": "out"}], [{"guests": "out"}, {"vip": "out"}, {"*": "out"}, {"*": "out"}], [False, False, False, True]),
        ([{"*": "out"}], [JOINED, LEFT], [True, True]),
        ([JOINED], [{"*": "in"}, {"*": "in"}], [False, True]),  # told without saying which
        ([{"guests": "in", "vip": "out"}], [{"*": "in"}], [True]),
    ],
)  # fmt: skip
def test_what_we_set_comes_back_once_and_is_no_news(
    set_: list[dict[str, Any]], told: list[dict[str, Any]], news: list[bool]
) -> None:
    assert hears(acts(*set_), *told) == news


def test_an_echo_is_awaited_for_a_day_and_no_longer() -> None:
    assert hears(acts(JOINED), JOINED, now=24 * 3600.0) == [False]
    assert hears(acts(JOINED), JOINED, now=ECHO_LASTS + 1) == [True]
    assert [one["at"] for one in expected(acts(JOINED), JOINED, ECHO_LASTS + 1)] == [ECHO_LASTS + 1]


def test_the_echoes_of_many_acts_take_no_more_room_than_a_page() -> None:
    many = acts(*({"guests": str(number)} for number in range(300)))
    assert len(many["echoes"]) == 50
    assert hears(many, {"guests": "299"}, {"guests": "3"}) == [False, True]
