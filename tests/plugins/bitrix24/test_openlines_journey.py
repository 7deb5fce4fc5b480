"""E2: a client's message lands in an open line, the operator's answer reaches the client, its states come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import deliver, handwork, outcome
from tests.plugins.bitrix24.chat_place import ChatPlace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatPlace]:
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    built = ChatPlace(tmp_path)
    yield built
    built.close()


def test_there_and_back(place: ChatPlace) -> None:
    assert [one.level for one in place.findings] == ["ok", "ok"]
    place.client(id="m1", text="Is it [b]blue[/b]?")
    [asked] = place.until(place.messages)
    assert (asked["chat"], asked["external"]) == ("olena", ["m1"])
    assert asked["user"] == {"id": "olena", "name": "Olena", "last_name": "K"}
    assert asked["message"]["text"] == "Is it [\u2060b]blue[\u2060/b]?"  # shown as typed, formats nothing

    number = place.operator("Yes, [b]and[/b] red")["message_id"]
    [answer] = place.until(lambda: place.channel.sent)
    assert answer == {"id": "mid-1", "to": "olena", "text": "Yes, and red"}
    place.settle()
    [_, said] = place.messages()
    assert (said["id"], said["external"], said["delivered"]) == (number, ["mid-1"], True)
    assert place.portal.state()["deliveries"][0]["chat"] == {"id": "olena"}

    place.client("message.read", id="mid-1")
    [report] = place.until(lambda: place.portal.state()["readings"])
    assert report["im"]["message_id"] == number
    assert report["message"] == {"id": ["mid-1"]}
    place.settle()
    assert place.rows("SELECT count(*) FROM delivery WHERE state = 'parked'") == [(0,)]
    # Both channels speak of one person.
    assert place.rows("SELECT count(DISTINCT person) FROM event WHERE person IS NOT NULL") == [(1,)]


def test_the_answer_never_comes_back_as_a_clients_message(place: ChatPlace) -> None:
    # The app is bound to the line's own events too: these repeat every message of both sides.
    for event in ("ONOPENLINEMESSAGEADD", "ONSESSIONSTART"):
        place.crm._client.call("event.bind", {"event": event, "handler": f"{place.url}/in/crm"})
    place.client(id="m1", text="hello")
    place.until(place.messages)
    place.operator("hi")
    place.until(lambda: place.portal.state()["deliveries"])
    place.settle()
    assert (len(place.messages()), len(place.channel.sent)) == (2, 1)
    kinds = dict(place.rows("SELECT type, count(*) FROM event WHERE connection = 'crm' GROUP BY type"))
    assert kinds["message.sent"] == 1
    assert kinds["vendor.onopenlinemessageadd"] == 2
    assert "message.received" not in kinds


def test_a_lost_answer_makes_no_second_message(place: ChatPlace) -> None:
    place.client(id="m1", text="one")
    place.until(place.messages)
    place.control("fault", kind="lost_reply", match="imconnector.send.messages")
    place.client(id="m2", text="two")
    place.until(lambda: place.rows("SELECT count(*) FROM delivery WHERE state = 'done'") == [(2,)])
    assert [each["external"] for each in place.messages()] == [["m1"], ["m2"]]


def test_where_the_chat_cannot_be_looked_into_it_is_sent_again(place: ChatPlace) -> None:
    place.client(id="m1", text="one")
    place.until(place.messages)
    place.control("fault", kind="lost_reply", match="imconnector.send.messages")
    place.portal.portal.chats[("hub_shop", "1", "olena")]["client"] = "?"  # a portal that knows its own ids alone
    place.client(id="m2", text="two")
    place.until(lambda: place.rows("SELECT count(*) FROM delivery WHERE state = 'done'") == [(2,)])
    assert [each["external"] for each in place.messages()] == [["m1"], ["m2"], ["m2"]]


def test_the_channel_is_down_for_a_while(place: ChatPlace) -> None:
    place.client(id="m1", text="one")
    place.until(place.messages)
    place.channel.down = True
    place.operator("first")
    place.until(lambda: place.rows("SELECT count(*) FROM delivery WHERE tries > 0 AND state <> 'done'")[0][0])
    assert place.portal.state()["deliveries"] == []  # nothing is called delivered that isn't


def test_an_answer_that_waited_long_still_goes_out(place: ChatPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "STALE", 0.0)  # as if each delivery had waited since yesterday
    place.client(id="m1", text="one")
    place.until(place.messages)
    place.operator("late")
    place.until(lambda: place.portal.state()["deliveries"])
    assert [each["text"] for each in place.channel.sent] == ["late"]


def test_the_operator_is_told_what_did_not_arrive(place: ChatPlace) -> None:
    place.client(id="m1", text="one")
    place.until(place.messages)
    place.channel.refuses = True
    place.operator("too late")
    [told] = place.until(lambda: place.portal.state()["notifications"])
    assert (told["user_id"], told["message"][:23]) == (27, "Not delivered to olena:")
    place.settle()
    assert place.portal.state()["deliveries"] == []


def test_answers_to_one_client_stay_in_order(place: ChatPlace) -> None:
    place.client(id="m1", text="one")
    place.until(place.messages)
    for number in range(8):
        place.operator(f"answer {number}")
    place.until(lambda: len(place.channel.sent) == 8)
    place.settle()
    assert [each["text"] for each in place.channel.sent] == [f"answer {number}" for number in range(8)]
    assert len(place.portal.state()["deliveries"]) == 8


def test_the_same_answer_told_twice_is_sent_once(place: ChatPlace) -> None:
    # A second handler on the same event: another handler id and another time, the same message.
    place.crm._client.call("event.bind", {"event": "ONIMCONNECTORMESSAGEADD", "handler": f"{place.url}/in/crm?again"})
    place.control("fault", kind="duplicate_event", times=2)
    place.client(id="m1", text="one")
    place.until(place.messages)
    place.operator("only once")
    place.until(lambda: place.portal.state()["deliveries"])
    place.settle()
    assert len(place.channel.sent) == 1


def test_files_go_by_link_both_ways(place: ChatPlace) -> None:
    picture = {"type": "image", "url": "https://cdn.example.com/a/photo.jpg", "size": 400_000}
    large = {"type": "image", "url": "https://cdn.example.com/a/huge.jpg", "size": 6_000_000}
    film = {"type": "video", "url": "https://cdn.example.com/a/film.mp4", "size": 10}
    place.client(id="m1", files=[picture, large, film])
    [got] = place.until(place.messages)
    assert got["message"]["files"] == [{"url": picture["url"], "name": "photo.jpg"}]
    assert "huge.jpg: 6 MB, more than 5 MB" in got["message"]["text"]
    assert film["url"] in got["message"]["text"]
    place.operator(files=[{"name": "price.pdf", "type": "file", "link": "https://portal.example.com/price.pdf"}])
    [sent] = place.until(lambda: place.channel.sent)
    assert sent["files"] == [{"type": "file", "url": "https://portal.example.com/price.pdf", "name": "price.pdf"}]


def test_changes_on_both_sides(place: ChatPlace) -> None:
    place.client(id="m1", text="oops")
    place.until(place.messages)
    number = place.operator("Hallo")["message_id"]
    place.until(lambda: place.portal.state()["deliveries"])
    place.operator("Hello", act="edit", message_id=number)
    [changed] = place.until(lambda: place.channel.changed)
    assert changed == {"id": "mid-1", "text": "Hello"}
    place.client("message.deleted", id="m1")
    place.until(lambda: place.messages()[0]["deleted"])


def test_a_line_that_was_switched_off_says_so_and_is_put_back(place: ChatPlace) -> None:
    place.operator(act="switch_off")
    place.until(lambda: place.rows("SELECT 1 FROM event WHERE type = 'connection.changed'"))
    place.client(id="m1", text="anybody?")
    told = "SELECT id FROM delivery WHERE state = 'parked' AND reason LIKE '%hub connect%'"
    [(parked,)] = place.until(lambda: place.rows(told))
    assert place.messages() == []
    assert [one.level for one in place.crm.connect(f"{place.url}/in/crm")] == ["ok", "ok"]
    with place.runtime.store.write() as db:
        handwork.retry(db, parked)
    place.engine.ring()
    place.until(place.messages)
