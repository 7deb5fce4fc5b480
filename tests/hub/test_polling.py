"""What a poll finds amiss with the connection itself becomes one alert, and closes when it is found no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.model import Finding, Poll
from hub.polling import Poller
from hub.reasons import remedy, say
from hub.store import state
from tests.hub.fakes import Box

ITEM = SimpleNamespace(connection="news", what="hooks", key="poll:news:hooks", lease="")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path, "hub: {unrouted: ignore}\nconnections: {news: {plugin: poller}}\nroutes: []\n")
    yield box
    box.close()


def polled(box: Box, *findings: Finding) -> list[dict[str, Any]]:
    """Write down one poll with these findings; return the open alerts as a person reads them."""
    with box.store.write() as db:
        Poller(cast(Any, box.engines[0].pipeline)).write(db, cast(Any, ITEM), Poll(findings=list(findings)))
    with box.store.read() as db:
        rows = db.rows("SELECT kind, params, count FROM alert WHERE closed_at IS NULL")
        return [
            {"text": say(kind, state.loads(params)), "remedy": remedy(kind, state.loads(params)), "count": count}
            for kind, params, count in rows
        ]


def test_findings_become_one_alert_with_their_remedies(box: Box) -> None:
    found = (
        Finding("ok", "12 events"),
        Finding("warning", "the webhook was off", "look why"),
        Finding("problem", "a right is missing", "ask an admin"),
    )
    [alert] = polled(box, *found)
    assert alert == {
        "text": "news: the webhook was off; a right is missing", "remedy": "look why; ask an admin", "count": 1
    }  # fmt: skip
    [again] = polled(box, *found)
    assert again["count"] == 2


def test_it_closes_when_nothing_is_amiss(box: Box) -> None:
    polled(box, Finding("warning", "the webhook was off"))
    assert polled(box, Finding("ok", "all well")) == []
