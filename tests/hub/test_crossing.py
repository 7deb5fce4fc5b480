"""Messages of the same people over several workers, with steps from one CRM to another and back: who waits for whom."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hub.store import Store, work
from tests.hub.fakes import PLUGINS, WORLDS, Box, form
from tests.hub.test_people_routes import Mergers

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: mergers}
  amo: {plugin: mergers}
people:
  merge: {auto: [same phone, same email], carry: [deals]}
routes:
  - name: there and back
    on: site.form.submitted
    steps:
      - {do: crm.contact.upsert, as: here, set: {NAME: contact.name}}
      - {do: amo.contact.upsert, as: there, set: {NAME: contact.name}}
      - {do: crm.note.create, set: {TEXT: "{{ here.id }} is {{ there.id }}"}}
  - name: the other way round
    on: site.form.submitted
    do: amo.lead.upsert
    set: {TITLE: contact.name}
"""


def person(who: int, keys: str, number: int) -> dict[str, object]:
    """A form of somebody who gives a phone (`p`), an e-mail (`e`) or both."""
    made = form(f"+38067{1000000 + who}" if "p" in keys else None, f"N{who}")
    if "e" in keys:
        made["record"]["contact"] |= {"email": f"p{who}@i.ua", "emails": [f"p{who}@i.ua"]}
    return {**made, "subject": f"form:{number}"}


@pytest.mark.parametrize("database", ["sqlite_store", "postgresql_store"])
def test_each_is_one_person_with_one_contact_everywhere(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    store: Store = request.getfixturevalue(database)
    some = random.Random(1)
    box = Box(tmp_path, YAML, store=store, plugins=(*PLUGINS, Mergers), engines=3).start()
    try:
        sent = [(some.randrange(10), some.choice(("p", "e", "pe"))) for _ in range(60)]
        for number, (who, keys) in enumerate([*sent, *((who, "pe") for who in range(10))]):
            box.send(person(who, keys, number))
        box.settle(60)
        for name in ("crm", "amo"):
            assert sorted(one["name"] for one in WORLDS[name].of("contact")) == sorted(f"N{who}" for who in range(10))
        assert box.one('SELECT count(*) FROM person WHERE "into" IS NULL') == 10
        assert box.one("SELECT count(*) FROM delivery WHERE state <> 'done'") == 0
        assert len(WORLDS["crm"].of("note")) == len(WORLDS["amo"].of("lead")) == 70
    finally:
        box.close()


def test_whoever_writes_outcomes_down_holds_persons_before_lines(
    tmp_path: Path, postgresql_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As matching does: in the other order the two wait for each other until PostgreSQL ends one, a second later."""
    held: list[int] = []
    take = work.held_leases

    def look(db, pairs):  # type: ignore[no-untyped-def]
        mine = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
        if any(">person:" in line for line, _ in pairs):
            held.append(db.one(mine)[0])
        return take(db, pairs)

    monkeypatch.setattr(work, "held_leases", look)
    box = Box(tmp_path, YAML, store=postgresql_store, plugins=(*PLUGINS, Mergers)).start()
    try:
        box.send(person(1, "pe", 1))
        box.settle()
    finally:
        box.close()
    assert held and min(held) >= 1, "the person"
    assert max(held) >= 2, "and the contact that was made for them"
