"""A person's request through a whole company: in the ledger, taken back, and forgotten."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from hub import ledger, privacy, undoing
from hub.store import Store, batches, reading
from hub.store.tables import metadata
from tests.journeys.place import Place

PHONE, NAME, EMAIL = "+380671112233", "Оксана Тестова", "oksana.t@example.com"


def everything(store: Store) -> list[str]:
    """Every text of every row of every table, bodies opened, JSON without its escapes."""
    found = []
    with store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for name, value in row.items():
                    if table.name == "receipt" and name == "body":
                        value = store.sealer.open(bytes(value)).decode()
                    if isinstance(value, str):
                        text = (
                            json.dumps(json.loads(value), ensure_ascii=False) if value[:1] in "{[" and value else value
                        )
                        found.append(f"{table.name}.{name}: {text}")
    return found


def named(store: Store) -> list[str]:
    needles = (PHONE[1:], "671112233", EMAIL, NAME, "Тестова")
    return [one for one in everything(store) if any(needle in one for needle in needles)]


def day(place: Place) -> ledger.Day:
    with place.store.read() as db:
        return ledger.ledger(db, place.config, ledger.today(db, place.config))


def test_a_request_is_accounted_for_taken_back_and_forgotten(place: Place) -> None:
    store = place.store
    assert place.form(NAME, PHONE, email=EMAIL) == 200
    assert place.form("Ivan Control", "+380509998877") == 200
    place.until(lambda: len(place.listed("crm.lead.list")) == 2)
    place.until(lambda: place.rows("SELECT count(*) FROM seen WHERE subject LIKE 'lead:%'")[0][0] == 2)
    place.settle()
    # the ledger: both are new, and where they stand
    found = day(place)
    assert [row.outcome for row in found.rows] == ["new", "new"] and found.unaccounted() == {}
    [hers] = [row for row in found.rows if row.person == 1]
    assert hers.now is not None and hers.stage == "NEW" and hers.touched_after is None
    # a manager moves the lead: that is the first touch
    place.crm.act("crm.lead.update", {"id": hers.now[2], "fields": {"STATUS_ID": "IN_PROCESS"}}, user_id=1)
    place.until(lambda: any(row.stage == "IN_PROCESS" for row in day(place).rows))
    place.settle()
    assert sorted(row.touched_after is not None for row in day(place).rows) == [False, True]
    # what was made is told, and deleted where that is asked for; the manager's stage keeps hers
    with store.read() as db:
        rows = [row for id in range(1, 10) if (row := reading.delivery(db, id)) and row["action"] == "lead.upsert"]
        waiting = batches.undoing(db)
    todo = undoing.plan(place.runtime, rows, waiting, delete=True)
    assert sorted(one.record for one in todo.created) == ["contact", "contact", "lead", "lead"]
    # forgotten: nothing names her, all of him is there, the CRM keeps both
    before = len([one for one in everything(store) if "509998877" in one])
    receipt = privacy.erase_person(store, PHONE, "UA")
    assert receipt is not None and receipt["counts"]["receipts"] >= 1
    assert named(store) == []
    assert len([one for one in everything(store) if "509998877" in one]) == before
    assert len(place.listed("crm.contact.list")) == 2
    left: dict[str, Any] = day(place).totals()["site"]
    assert (left["received"], left["new"]) == (2, 2)
    assert day(place).unaccounted() == {}
    assert privacy.erase_person(store, PHONE, "UA") is None
