"""`hub people`: who is known, who may be the same, what a human decides; a dry run leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from hub.store import suspects
from tests.hub.cli.conftest import Hub
from tests.hub.fakes import Box, form


@pytest.fixture
def known(box: Box) -> Box:
    """Three persons: two alike, one of her own."""
    box.send(form("+380671234567", "Olena Koval"))
    box.send(form("+380671234576", "Olena Koval"))
    box.send(form("+380501112233", "Petro"))
    box.settle()
    with box.store.write() as db:
        suspects.compare_new(db)
    return box


def persons(hub: Hub) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in hub.json("people", "list")}


def test_a_list_of_persons_and_one_of_them(hub: Hub, known: Box) -> None:
    rows = persons(hub)
    assert {id: row["record"]["name"] for id, row in rows.items()} == {1: "Olena Koval", 2: "Olena Koval", 3: "Petro"}
    assert [row["id"] for row in hub.json("people", "list", "--limit", "1", "--before", "p3")] == [2]
    assert "Petro" in hub("people", "list").stdout
    by_phone = hub.json("people", "show", "050 111-22-33")
    assert by_phone["id"] == 3
    assert by_phone["keys"][0] == "phone +380501112233"
    assert by_phone["standing"]["requests"] == 1
    assert by_phone["events"][0]["matched"]["text"] == "nobody was known by its phone: person 3 is new"
    told = hub("people", "show", "p1").stdout
    assert "person 1 Olena Koval" in told
    assert "s1: may be one with 2: like names (100 of 100) and phone" in told
    assert hub.json("people", "show", f"crm.contact:{by_phone['contacts']['crm'][0]}")["id"] == 3


def test_who_is_not_known_is_said(hub: Hub, known: Box) -> None:
    assert 'nobody is known by "099 000"' in hub("people", "show", "099", "000", code=1).stderr


def test_suspects_accepted_refused_never(hub: Hub, known: Box) -> None:
    [pair] = hub.json("people", "suspects", "list")
    assert (pair["id"], pair["person"], pair["other"], pair["state"]) == ("s1", 1, 2, "open")
    assert "would be: person 2 is one with 1" in hub("people", "suspects", "accept", "s1", "--dry-run").stdout
    assert hub.json("people", "suspects", "list") != []
    assert "stay two persons" in hub("people", "suspects", "refuse", "s1").stdout
    assert hub.json("people", "suspects", "list") == []
    assert "whatever comes" in hub("people", "suspects", "never", "s1").stdout
    assert "decided already: never" in hub("people", "suspects", "refuse", "s1", code=1).stderr
    [done] = hub.json("people", "suspects", "accept", "s1")
    assert (done["person"], done["merged"]) == (1, 2)
    assert sorted(persons(hub)) == [1, 3]
    assert [row["state"] for row in hub.json("people", "suspects", "list", "--state", "all")] == ["accepted"]
    assert "there is no pair s9" in hub("people", "suspects", "accept", "s9", code=1).stderr
    said = hub("people", "suspects", "accept", "1", code=2).stderr  # a person's number, perhaps
    assert '"1" is no id; ids look like s7' in said


def test_merge_and_unmerge(hub: Hub, known: Box) -> None:
    [shown] = hub.json("people", "merge", "067 123 45 67", "3", "--dry-run")
    assert (shown["done"], shown["person"], shown["merged"], shown["differ"]) == (False, 1, 3, ["phone"])
    assert sorted(persons(hub)) == [1, 2, 3]
    told = hub("people", "merge", "1", "3").stdout
    assert "person 3 is one with 1 (merge m1)" in told
    assert "they differ in phone" in told
    assert "can't merge them" in told
    assert sorted(persons(hub)) == [1, 2]
    assert persons(hub)[1]["family"] == [1, 3]
    assert "one person already: 1" in hub("people", "merge", "1", "3", code=1).stderr
    told = hub("people", "show", "3").stdout
    assert "person 1 Olena Koval" in told and "merge m1: 3 into 1, by human: joined by hand" in told
    assert "came as person 3" in hub("explain", "050 111 22 33").stdout
    assert "would be: person 3 is 3 again" in hub("people", "unmerge", "m1", "--dry-run").stdout
    [done] = hub.json("people", "unmerge", "3")
    assert (done["person"], done["parted"]) == (1, 3)
    assert sorted(persons(hub)) == [1, 2, 3]
    assert "m1 is undone already" in hub("people", "unmerge", "m1", code=1).stderr
    assert "not merged with anybody" in hub("people", "unmerge", "3", code=1).stderr
    assert "is no merge" in hub("people", "unmerge", "Petro", code=1).stderr


def test_keys_of_nobody(hub: Hub, known: Box) -> None:
    assert "1 events" not in hub("people", "nobody", "add", "050 111 22 33", "--dry-run").stdout
    told = hub.json("people", "nobody", "add", "050 111 22 33")
    assert told[0]["key"] == ["phone", "+380501112233"]
    listed = hub.json("people", "nobody", "list")
    assert listed[0]["key"] == "phone +380501112233"
    assert {row["how"] for row in listed} == {"human", "rule"}
    assert "on the list already" in hub("people", "nobody", "add", "+380501112233", code=1).stderr
    known.send(form("+380501112233", "Somebody"))
    known.settle()
    event = hub.json("explain", "050 111 22 33")["events"][-1]
    assert event["person"]["id"] is None
    assert event["person"]["matched"]["text"] == (
        "nothing in it names a human; phone +380501112233 is left out: you said that it names nobody"
    )
    assert "names somebody again" in hub("people", "nobody", "remove", "+380501112233").stdout
    assert "not on the list" in hub("people", "nobody", "remove", "+380501112233", code=1).stderr
    assert "neither a phone nor an e-mail" in hub("people", "nobody", "add", "Petro", code=1).stderr
