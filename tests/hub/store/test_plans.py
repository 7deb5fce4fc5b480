"""What is asked again and again reads by an index: SQLite's own plan says so, whatever the history has grown to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hub.model import Event
from hub.store import Db, Store, history, inquiries, intake, work


def plans(store: Store, ask: Callable[[Db], Any]) -> list[str]:
    """Return how SQLite would carry out each statement that `ask` gives, one line per table."""
    seen: list[tuple[str, Sequence[Any]]] = []

    class Watched(Db):
        def _run(self, sql: str, params: Sequence[Any]) -> Any:
            seen.append((sql, params))
            return super()._run(sql, params)

    with store.write() as db:
        ask(Watched(db.connection, store, db.now))
        return [row[3] for sql, params in seen for row in db.rows(f"EXPLAIN QUERY PLAN {sql}", params)]


def erased(db: Db) -> None:
    db.insert("fact", ("name", "value"), [(intake.ERASED_KEYS, "yes")])


def receipts(db: Db) -> None:
    erased(db)
    intake.erased_keys(db, "receipt", [("site", "1"), ("site", "2")])


def events(db: Db) -> None:
    erased(db)
    intake.add_events(db, [Event("form.submitted", "form:1", "1", connection="site")])


@pytest.mark.parametrize(
    ("ask", "by"),
    [
        (receipts, "SEARCH t USING COVERING INDEX sqlite_autoindex_receipt_1"),
        (events, "SEARCH t USING COVERING INDEX sqlite_autoindex_event_1"),
        (
            lambda db: inquiries.of_subjects(db, {("site", "call:1"), ("site", "call:2")}, {"call.missed"}),
            "SEARCH t USING INDEX event_subject",
        ),
        (
            lambda db: inquiries.seen(db, {("crm", "lead", "1"), ("crm", "deal", "2")}),
            "SEARCH t USING INDEX sqlite_autoindex_seen_1 (connection=? AND subject=?)",
        ),
        (lambda db: work.renew(db, [("a", "w:1"), ("b", "w:1")]), "SEARCH line USING INDEX sqlite_autoindex_line_1"),
    ],
    ids=["erased receipts", "erased events", "first of subjects", "seen", "renew"],
)
def test_it_is_read_by_its_index(sqlite_store: Store, ask: Callable[[Db], Any], by: str) -> None:
    plan = plans(sqlite_store, ask)
    assert any(line.startswith(by) for line in plan), plan
    tables = ("receipt", "event", "seen", "line", "t")
    assert not [line for line in plan if line.startswith(tuple(f"SCAN {name}" for name in tables))], plan


def test_acts_under_way_are_sought_among_what_is_unfinished(sqlite_store: Store) -> None:
    """Not by the time they were made, which leads to every delivery there ever was."""
    [line] = plans(sqlite_store, lambda db: history.acting(db, "crm", "deal", db.now))
    # both indexes hold what is ready and nothing else; without statistics either is as good
    assert "USING INDEX delivery_ready" in line or "USING INDEX delivery_marker" in line, line
