"""`hub ledger` as a person uses it."""

from __future__ import annotations

import csv
import re

from hub.store import state
from tests.hub.cli.conftest import Hub
from tests.hub.fakes import Box, form


def test_a_day_is_shown_row_by_row_and_by_connection(hub: Hub, box: Box) -> None:
    box.send(form("+380671112233", "Anna") | {"subject": "form:1"})
    box.send(form(None) | {"subject": "form:2"})
    box.settle()
    told = hub.json("ledger")
    assert told["balanced"] and told["unaccounted"] == {} and told["timezone"] == "Europe/Kyiv"
    new, away = told["requests"]
    assert (new["id"], new["outcome"], new["now"], new["touched_after_s"]) == ("e1", "new", "crm/lead:101", None)
    assert (away["outcome"], away["now"]) == ("turned_away", None) and "contact.phone" in away["why"]
    site = told["totals"]["site"]
    assert (site["received"], site["new"], site["turned_away"], site["untouched"]) == (2, 1, 1, 2)
    words = hub("ledger").stdout
    assert re.search(r"e1 .*site +form\.submitted +Anna +new +crm/lead:101", words) and "turned away" in words
    assert (new["who"], away["who"]) == ("Anna", None)
    assert hub.json("ledger", "--day", "yesterday")["requests"] == []
    assert "no requests on 2026-01-01" in hub("ledger", "--day", "2026-01-01").stdout
    assert "is no day; write today" in hub("ledger", "--day", "never", code=2).stderr


def test_the_rows_go_into_a_table_for_a_spreadsheet(hub: Hub, box: Box) -> None:
    box.send(form("+380671112233", "Anna") | {"subject": "form:=1+1"})
    box.settle()  # hers is made first: lead:101
    box.send(form("+380671112234", "Ivan") | {"subject": "form:2"})
    box.settle()
    with box.store.write() as db:
        state.set_seen(
            db, "crm", "lead:101", {"record": {"id": "101", "stage": "=HYPERLINK(1)", "url": "https://x.example.com"}}
        )
    path = hub.folder / "day.csv"
    hub("ledger", "--csv", str(path))
    with path.open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["outcome"], first["stage"], first["url"]) == ("new", "'=HYPERLINK(1)", "https://x.example.com")
    assert second["subject"] == "form:2" and second["at"].endswith("+00:00")


def test_a_day_that_does_not_add_up_says_so(hub: Hub, box: Box) -> None:
    box.send(form("+380671112233", "Anna"))
    box.settle()
    with box.store.write() as db:
        db.run("UPDATE event SET receipt = NULL")
    result = hub("ledger", code=1)
    assert "site: 1 came in, 0 are accounted for" in result.stderr
    assert hub.json("ledger", code=1)["unaccounted"] == {"site": {"received": 1, "accounted": 0}}
