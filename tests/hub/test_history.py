"""What a connector may look back at, and how a channel's own messages are known when they come back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hub.changes import look
from hub.errors import RateLimited
from hub.history import History
from hub.model import Event
from hub.store import Store, intake, state, work
from tests.hub.fakes import WORLDS, Box

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store on each database."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def told(store: Store, connection: str, type: str, key: str, *words: str) -> None:
    with store.write() as db:
        [event] = intake.add_events(db, [Event(type, f"message:{key}", key, {"message": {}}, connection=connection)])
        state.add_search(db, [(word, event.id) for word in words])


def test_events_are_found_by_type_time_and_word_the_newest_first(store: Store) -> None:
    told(store, "chat", "message.received", "1", "anna")
    told(store, "chat", "message.received", "2", "anna", "+380671112233")
    told(store, "chat", "message.received", "3", "boris")
    told(store, "chat", "message.sent", "4", "anna")
    told(store, "other", "message.received", "5", "anna")
    history = History(store, "chat")
    both = ("message.received", "message.sent")
    assert [event.key for event in history.events(("message.received",), LONG_AGO)] == ["3", "2", "1"]
    assert [event.key for event in history.events(both, LONG_AGO, word="Anna")] == ["4", "2", "1"]
    assert [event.key for event in history.events(both, LONG_AGO, word="anna", limit=1)] == ["4"]
    assert history.events(both, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)) == []
    assert history.events((), LONG_AGO) == []


def test_an_act_is_under_way_from_its_claim_until_it_is_written_down(store: Store) -> None:
    history = History(store, "chat")
    with store.write() as db:
        [event] = intake.add_events(db, [Event("form.submitted", "form:1", "1", connection="site")])
        work.add_deliveries(
            db, [work.NewDelivery(event.id, "r", "0", "chat", "message.send", "chat>person:1", "chat", "m-1")]
        )
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    assert not history.acting("message", later)
    with store.write() as db:
        db.run("UPDATE delivery SET started_at = ?", (db.now,))
    assert history.acting("message", later)
    assert not history.acting("message", LONG_AGO)
    assert not history.acting("comment", later)
    assert not History(store, "other").acting("message", later)
    now = dt.datetime.now(dt.UTC)
    told = Event("message.sent", "message:1", "2", connection="chat", at=now.timestamp())
    with pytest.raises(RateLimited, match="an act of ours on a message is under way"):
        history.wait_for_own(told, now)
    history.wait_for_own(told, now + dt.timedelta(minutes=4))  # nobody waits for ever
    history.wait_for_own(told.with_(subject="comment:1"), now)
    history.wait_for_own(told.with_(at=LONG_AGO.timestamp()), LONG_AGO)
    with store.write() as db:
        db.run("UPDATE delivery SET state = 'done'")
    assert not history.acting("message", later)


def test_without_a_store_nothing_is_known() -> None:
    assert History().events(("message.received",), LONG_AGO) == []
    assert not History().acting("message", LONG_AGO)


def test_the_hub_gives_every_connector_its_own_history(tmp_path: Path) -> None:
    box = Box(tmp_path, "connections: {site: {plugin: source}, crm: {plugin: sink}}\nroutes: []\n")
    try:
        told(box.store, "site", "message.received", "1")
        wanted = (("message.received",), LONG_AGO)
        assert [event.key for event in box.runtime.connector("site").history.events(*wanted)] == ["1"]
        assert box.runtime.connector("crm").history.events(*wanted) == []
        assert WORLDS["crm"] is not None
    finally:
        box.close()


# --- a message we sent comes back -------------------------------------------------------------------


def sent(kind: str = "message") -> Event:
    return Event(f"{kind}.sent", f"{kind}:m-1", "k1", {kind: {"id": "m-1", "text": "Hello"}}, id=7)


@pytest.mark.parametrize("kind", ["message", "comment"])
def test_what_the_hub_said_is_an_echo_when_the_channel_tells_of_it(kind: str) -> None:
    found = look(sent(kind), {"record": None, "own": {"text": "Hello"}, "hop": 0}, (), 0.0)
    assert found.events == []
    assert found.closed is not None
    assert found.closed["code"] == "echo"


@pytest.mark.parametrize("seen", [None, {"record": None, "own": {}}, {"record": {"id": "m-1"}}])
def test_a_message_somebody_else_sent_is_news(seen: dict[str, object] | None) -> None:
    found = look(sent(), seen, (), 0.0)
    assert [event.key for event in found.events] == ["k1"]


def test_an_answer_to_the_hubs_own_message_is_news() -> None:
    seen = {"record": None, "own": {"text": "Hello"}}
    answer = sent().with_(type="message.received")
    assert look(answer, seen, (), 0.0).events == [answer]
