"""Stores of former versions, with work in flight, are opened by this version and finished (`golden/README.md`)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hub.store.schema import HEAD
from tests.hub.fakes import WORLDS, Box

GOLDEN = Path(__file__).parent / "golden"
#: the letter H, 32 times
KEY = "SEhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEg="
YAML = """
connections:
  site: {plugin: source}
  crm: {plugin: sink}
routes:
  - name: form becomes a lead
    on: site.form.submitted
    do: crm.lead.upsert
    set: {TITLE: "{{ contact.name }}"}
"""


@pytest.fixture(params=sorted(path.name for path in GOLDEN.glob("*.sql")))
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret.key").write_text(KEY)
    with sqlite3.connect(data / "hub.db") as connection:
        connection.executescript((GOLDEN / request.param).read_text("utf-8"))
    connection.close()
    return Box(tmp_path, YAML)


def test_every_version_has_its_store() -> None:
    assert (GOLDEN / f"{HEAD}.sql").exists(), "make one: python -m tests.hub.store.golden.make"


def test_its_work_is_finished_once(box: Box) -> None:
    before = {row["id"]: row["state"] for row in box.deliveries()}
    assert sorted(before.values()) == ["done"] * 3 + ["parked"] + ["ready"] * 3
    assert box.left()["receipts"] == 5
    box.start()
    box.settle()
    after = {row["id"]: row["state"] for row in box.deliveries()}
    assert sorted(after.values()) == ["done"] * 11 + ["parked"]
    assert {id: state for id, state in after.items() if before.get(id) in ("done", "parked")} == {
        id: state for id, state in before.items() if state in ("done", "parked")
    }
    leads = [act for act in WORLDS["crm"].acts if act[1] == "lead"]
    assert len(leads) == 8, "three waited, five had not been read; what was done stays done"
    box.close()
