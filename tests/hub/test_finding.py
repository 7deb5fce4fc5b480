"""Which record a step is about, and what a later step sees of it: `find`, `missing`, `as`, needed values."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import handwork
from hub.config import load
from hub.connector import Mention
from hub.errors import Refused, Retry
from hub.model import Action
from hub.plugins import Plugins
from tests.hub.fakes import PLUGINS, WORLDS, Box, Source, form

HEAD = """
hub: {region: UA, unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: sink, names: {stages: {shop_won: "C5:WON", new: "C5:NEW"}}}
routes:
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Callable[[str], Box]]:
    """Start a hub with these routes."""
    started: list[Box] = []

    def start(routes: str) -> Box:
        started.append(Box(tmp_path, HEAD + routes).start())
        return started[-1]

    yield start
    for box in started:
        box.close()


def put(record: str, id: str, **values: Any) -> None:
    WORLDS["crm"].records[(record, id)] = {"id": id, **values}


def states(box: Box) -> list[tuple[str, str, str]]:
    return [(one["action"], one["state"], one["reason"] or "") for one in box.deliveries()]


def test_find_is_asked_even_where_another_record_is_linked(hub: Callable[[str], Box]) -> None:
    """The sender's own deal must not be overwritten when the route names another."""
    box = hub(
        '  - {name: make, on: site.form.submitted, do: crm.deal.create, set: {TTN: "777"}}\n'
        "  - {name: then, on: site.deal.updated, do: crm.deal.upsert, find: {TTN: deal.TTN}, missing: skip, "
        "set: {COMMENTS: WRONG}}\n"
    )
    box.send({**form(), "subject": "deal:1", "type": "form.submitted"})
    box.settle()
    [mine] = WORLDS["crm"].of("deal")
    deal = {"deal": {"id": "1", "TTN": "888"}}
    box.send({"type": "deal.updated", "subject": "deal:1", "record": deal})
    box.settle()
    assert "COMMENTS" not in mine and states(box)[-1][:2] == ("deal.upsert", "skipped")


def test_of_several_that_fit_the_linked_one_is_taken(hub: Callable[[str], Box]) -> None:
    box = hub(
        '  - {name: make, on: site.form.submitted, do: crm.deal.create, set: {TTN: "777"}}\n'
        '  - {name: then, on: site.deal.updated, do: crm.deal.upsert, find: {TTN: "777"}, set: {COMMENTS: right}}\n'
    )
    put("deal", "1", TTN="777")
    box.send({**form(), "subject": "deal:1"})
    box.settle()
    box.send({"type": "deal.updated", "subject": "deal:1", "record": {"deal": {"id": "1"}}})
    box.settle()
    found = {one["id"]: one.get("COMMENTS") for one in WORLDS["crm"].of("deal")}
    assert found.pop("1") is None and list(found.values()) == ["right"]


SEARCH = """
  - name: search
    on: site.form.submitted
    steps:
      - {do: crm.deal.find, find: {TTN: form.ttn}, missing: skip, as: known}
      - {when: {known: absent}, do: crm.comment.create, set: {TEXT: nobody}}
      - {when: {known: present}, do: crm.comment.create, set: {TEXT: "{{ known.TITLE }}"}}
"""


@pytest.mark.parametrize(("ttn", "text"), [("1", "the first"), ("2", "nobody")])
def test_what_was_not_found_tests_as_absent(hub: Callable[[str], Box], ttn: str, text: str) -> None:
    box = hub(SEARCH)
    put("deal", "9", TTN="1", TITLE="the first")
    box.send(form(ttn=ttn))
    box.settle()
    assert [one["TEXT"] for one in WORLDS["crm"].of("comment")] == [text]


def test_a_record_known_by_its_link_is_read_before_it_is_a_result(hub: Callable[[str], Box]) -> None:
    box = hub(
        """
  - name: make
    on: site.form.submitted
    steps:
      - {do: crm.deal.create, set: {TITLE: hello}, as: made}
      - {do: crm.deal.find, find: made, as: found}
      - {do: crm.comment.create, set: {TEXT: "title {{ found.TITLE }}"}}
"""
    )
    box.send(form())
    box.settle()
    assert [one["TEXT"] for one in WORLDS["crm"].of("comment")] == ["title hello"]


def test_what_a_find_is_given_under_set_is_what_it_searches_by(hub: Callable[[str], Box]) -> None:
    box = hub("  - {name: a, on: site.form.submitted, do: crm.deal.find, set: {TTN: form.ttn}, missing: park}\n")
    put("deal", "9", TTN="1")
    box.send(form(ttn="1"))
    box.send(form(ttn="2"))
    box.settle()
    assert [state for _, state, _ in states(box)] == ["done", "parked"]


def test_missing_alert_tells_what_is_missing(hub: Callable[[str], Box]) -> None:
    box = hub(
        "  - {name: a, on: site.form.submitted, do: crm.deal.upsert, find: {TTN: form.ttn}, missing: alert, "
        "set: {TITLE: x}}\n"
    )
    box.send(form(ttn="1"))
    box.settle()
    assert box.alerts() == ["alert_missing"] and "missing_alert" in states(box)[0][2]


def test_a_needed_value_that_came_out_empty_is_refused_in_words(hub: Callable[[str], Box]) -> None:
    box = hub("  - {name: a, on: site.form.submitted, do: crm.note.create, set: {TEXT: form.nothing, OF: x}}\n")
    box.send(form())
    box.settle()
    [(_, state, reason)] = states(box)
    assert state == "parked" and "note.create needs TEXT (form.nothing was empty)" in reason
    assert WORLDS["crm"].of("note") == [], "the vendor was not asked"


def test_a_refused_step_leaves_its_name_absent(hub: Callable[[str], Box]) -> None:
    box = hub(
        """
  - name: a
    on: site.form.submitted
    steps:
      - do: crm.deal.create
        set: {TITLE: x}
        as: made
        optional: yes
        refused: [{do: crm.comment.create, set: {TEXT: "no: {{ error.reason }}"}}]
      - {when: {made: present}, do: crm.comment.create, set: {TEXT: present}}
      - {when: {made: absent}, do: crm.comment.create, set: {TEXT: absent}}
"""
    )

    def refuse(action: Action) -> None:
        if action.record == "deal":
            raise Refused("no deals today")

    WORLDS["crm"].fail = refuse
    box.send(form())
    box.settle()
    assert [one["TEXT"] for one in WORLDS["crm"].of("comment")] == ["no: no deals today", "absent"]
    assert [(one["step"], one["state"]) for one in box.deliveries()] == [
        ("0", "refused"), ("0r0", "done"), ("1", "skipped"), ("2", "done")
    ]  # fmt: skip


def test_what_routes_mention_reaches_the_connector(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(
        HEAD
        + """
  - name: a
    on: crm.deal.stage_changed
    when: {deal.stage: WON}
    do: crm.deal.set_stage
    only_from: [new]
    stage: shop_won
""".replace("crm.deal.stage_changed", "site.deal.stage_changed")
    )
    mentions = load(tmp_path / "hub.yaml", Plugins.of(*PLUGINS), {}).mentions
    stages = {(one.code, one.beside) for one in mentions["crm"] if one.kind == "stage"}
    assert stages == {("C5:NEW", ("C5:WON",)), ("C5:WON", ("C5:NEW",))}
    assert mentions["crm"][0] == Mention("stage", "deal", "C5:WON", 'hub.yaml:13 routes[0] "a" stage', ("C5:NEW",))


def test_a_new_route_sees_old_messages_and_nothing_is_done_twice(tmp_path: Path) -> None:
    old = "  - {name: old, on: site.form.submitted, do: crm.comment.create, set: {TEXT: old}}\n"
    new = "  - {name: new, on: site.form.submitted, do: crm.comment.create, set: {TEXT: new}}\n"
    box = Box(tmp_path, HEAD + old).start()
    box.send(form())
    box.settle()
    box.close()
    box = Box(tmp_path, HEAD + old + new).start()
    with box.store.write() as db:
        handwork.replay(db, 1)
    box.settle()
    assert [one["TEXT"] for one in WORLDS["crm"].of("comment")] == ["new"], "the old one was written by the first hub"
    assert len(box.events()) == 1 and [one["route"] for one in box.deliveries()] == ["old", "new"]
    box.close()


def test_a_run_ends_where_what_it_is_for_has_changed(hub: Callable[[str], Box]) -> None:
    """The first step waited too long; the steps after it would speak of what was never made."""
    box = hub(
        """
  - name: waybill
    on: site.deal.stage_changed
    when: {deal.title: ship it}
    steps:
      - {do: crm.note.create, set: {TEXT: made}, as: made}
      - {do: crm.comment.create, set: {TEXT: "number {{ made.id }}"}}
"""
    )

    class Reads(Source):
        def get(self, record: str, id: str) -> dict[str, Any]:
            return {"id": id, "title": "wait"}

    def away(action: Action) -> None:
        raise Retry("away")

    WORLDS["crm"].fail = away
    deal = {"deal": {"id": "1", "title": "ship it"}}
    box.send({"type": "deal.stage_changed", "subject": "deal:1", "record": deal})
    for _ in range(1000):
        if [one for one in box.deliveries() if one["tries"]]:
            break
        threading.Event().wait(0.01)
    box.config.connections["site"] = dataclasses.replace(box.config.connections["site"], connector=Reads)
    box.runtime._connectors.clear()
    WORLDS["crm"].fail = lambda action: None
    with box.store.write() as db:
        db.run("UPDATE delivery SET created_at = created_at - 3600")
        db.run("UPDATE line SET due = 0")
    box.settle()
    assert [(one["action"], one["state"]) for one in box.deliveries()] == [("note.create", "skipped")]
    assert "no_longer" in box.deliveries()[0]["reason"]
