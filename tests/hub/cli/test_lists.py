"""The lists: newest first, filtered, paged, as tables and as JSON."""

from __future__ import annotations

import time

import pytest

from hub.errors import Refused, Retry
from hub.model import Action, Watch
from hub.reasons import stored
from hub.store import state, work
from tests.hub.cli.conftest import Hub
from tests.hub.fakes import WORLDS, Box, form


def refuse(action: Action) -> None:
    raise Refused("field TITLE is unknown")


def away(action: Action) -> None:
    raise Retry("HTTP 502: bad gateway")


@pytest.fixture
def two(box: Box) -> Box:
    """One delivery done, one parked."""
    box.send(form(city="Kyiv"))
    box.settle()
    WORLDS["crm"].fail = refuse
    box.send(form(phone="+380672223344", name="Olha"))
    box.settle()
    return box


def test_receipts(hub: Hub, two: Box) -> None:
    told = hub("receipts", "list").stdout.splitlines()
    assert told[0].split() == ["ID", "AT", "CONNECTION", "STATE", "BYTES", "KEY", "WHY"]
    assert [line.split()[0] for line in told[1:]] == ["r2", "r1"]
    assert hub.json("receipts", "list")[0] | {"at": "", "bytes": 0} == {
        "id": "r2", "connection": "site", "at": "", "state": "done", "method": "POST", "path": "/in/site",
        "remote": "", "bytes": 0, "key": "m2", "reason": None,
    }  # fmt: skip
    assert hub.json("receipts", "list", "--state", "unreadable") == []
    assert "no receipts" in hub("receipts", "list", "--connection", "crm").stdout


def test_sizes_are_those_of_what_came(hub: Hub, box: Box) -> None:
    box.send(id="m")
    box.settle()
    assert hub.json("receipts", "list")[0]["bytes"] == len('{"id": "m", "events": []}')


def test_events(hub: Hub, two: Box) -> None:
    found = hub.json("events", "list")
    assert [one["id"] for one in found] == ["e2", "e1"]
    assert found[0]["type"] == "site.form.submitted" and found[0]["deliveries"] == 1
    assert "site.form.submitted" in hub("events", "list", "--state", "planned").stdout
    assert hub.json("events", "list", "--state", "waiting") == []


def test_deliveries_show_what_they_wait_for(hub: Hub, two: Box) -> None:
    [parked] = hub.json("deliveries", "list", "--state", "parked")
    assert parked["id"] == "d2" and parked["wait"]["kind"] == "human"
    assert parked["reason"]["code"] == "refused"
    told = hub("deliveries", "list").stdout
    assert "parked" in told and "human" in told and "the vendor refused: field TITLE is unknown" in told


def test_pages(hub: Hub, two: Box) -> None:
    first = hub("deliveries", "list", "--limit", "1")
    assert "d2" in first.stdout and "older ones: --before d2" in first.stderr
    assert [one["id"] for one in hub.json("deliveries", "list", "--limit", "1", "--before", "d2")] == ["d1"]


def test_since(hub: Hub, two: Box) -> None:
    assert len(hub.json("receipts", "list", "--since", "1h")) == 2
    assert hub.json("receipts", "list", "--since", "2199-01-01 10:00") == []
    assert "is no time" in hub("receipts", "list", "--since", "yesterday", code=2).stderr
    assert "Invalid value" in hub("deliveries", "list", "--state", "lost", code=2).stderr


def test_alerts_come_with_what_to_do(hub: Hub, two: Box) -> None:
    [alert] = hub.json("alerts", "list")
    assert alert["kind"] == "alert_parked" and alert["state"] == "open" and alert["connection"] == "crm"
    told = hub("alerts", "list").stdout
    assert "crm: 1 deliveries wait for a person" in told and "hub deliveries list --state parked" in told


def test_alerts_are_closed_by_hand(hub: Hub, two: Box) -> None:
    [alert] = hub.json("alerts", "list")
    assert f"{alert['id']} is closed" in hub("alerts", "close", alert["id"]).stdout
    assert "no open alerts" in hub("alerts", "list").stdout
    assert [one["state"] for one in hub.json("alerts", "list", "--state", "closed")] == ["closed"]
    assert len(hub.json("alerts", "list", "--state", "all")) == 1
    assert "is closed already" in hub("alerts", "close", alert["id"], code=1).stderr
    assert "there is no alert a99" in hub("alerts", "close", "99", code=1).stderr


def test_timers(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = away
    box.send(form())
    deadline = time.monotonic() + 10
    while not any(one["wait"] for one in box.deliveries()):
        assert time.monotonic() < deadline
    for engine in box.engines:
        engine.stop(3)
    with box.store.write() as db:
        state.set_watches(db, "site", [Watch("parcel", "7", after=600.0)])
        state.set_health(db, "site", held=stored("auth_failed", why="401"), probe_at=db.now + 900)
        work.ensure_lines(db, {"poll:site:news": "site"})
        state.set_cursor(db, "site", "news", None, fails=2, reason={"why": "HTTP 500"})
    found = {one["kind"]: one for one in hub.json("timers", "list")}
    assert found["retry"]["what"] == "d1 lead.upsert" and found["retry"]["why"] == "HTTP 502: bad gateway"
    assert found["watch"]["what"] == "parcel:7" and found["watch"]["due"]
    assert found["poll"]["what"] == "news" and "HTTP 500" in found["poll"]["why"]
    assert found["held"]["what"] == "all its calls" and "401" in found["held"]["why"]
    assert [one["kind"] for one in hub.json("timers", "list", "--connection", "crm")] == ["retry"]
    assert "parcel:7" in hub("timers", "list").stdout


def test_rejected(hub: Hub, box: Box) -> None:
    box.send(form(), secret="wrong")
    box.receiver.commit.stop()
    [one] = hub.json("rejected", "list")
    assert one["status"] == 403 and one["reason"] == "wrong secret" and one["request"]["method"] == "POST"
    assert "wrong secret" in hub("rejected", "list", "--state", "403").stdout
    assert hub.json("rejected", "list", "--state", "404") == []
    assert hub.json("rejected", "list", "--connection", "crm") == []
    assert "an HTTP status is a number" in hub("rejected", "list", "--state", "new", code=2).stderr
