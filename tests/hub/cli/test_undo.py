"""`hub undo`, `hub batches` as a person uses them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.errors import Refused
from hub.model import Action
from tests.hub.cli.conftest import Hub
from tests.hub.fakes import WORLDS, Box, form

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: source, secret: letmein}
  crm: {plugin: sink, secret: s3cret-of-crm}
routes:
  - name: the city goes into the deal
    on: site.form.submitted
    do: crm.deal.update
    find: {PHONE: contact.phone}
    set: {CITY: form.city}
  - name: and a lead
    on: site.form.submitted
    do: crm.lead.create
    set: {TITLE: contact.name}
"""
PHONE = "+380671112233"


@pytest.fixture
def box(hub: Hub) -> Iterator[Box]:
    hub.write(YAML)
    box = Box(hub.folder, YAML).start()
    WORLDS["crm"].records[("deal", "7")] = {"id": "7", "PHONE": PHONE, "CITY": "Odesa"}
    box.send(form(PHONE, city="Kyiv"))
    box.settle()
    yield box
    box.close()


def city() -> str:
    return str(WORLDS["crm"].records[("deal", "7")]["CITY"])


def test_one_delivery_is_told_and_taken_back(hub: Hub, box: Box) -> None:
    dry = hub("undo", "d1", "d2", "--dry-run").stdout
    assert "crm/deal:7 d1\n   CITY: would be Odesa again, not Kyiv" in dry
    assert "crm/lead:101 d2\n   created, not deleted" in dry
    assert "hub batches show" not in dry and city() == "Kyiv"
    told = hub.json("undo", "d1")
    assert told["records"][0]["back"] == {"CITY": {"from": "Kyiv", "to": "Odesa"}}
    box.settle()
    assert city() == "Odesa"
    [batch] = hub.json("batches", "list")
    assert (batch["batch"], batch["states"]) == (told["batch"], {"done": 1})
    [one] = hub.json("batches", "show", told["batch"])
    assert one["reason"]["text"] == "taken back: CITY"
    assert "taken back: CITY" in hub("batches", "show", told["batch"]).stdout
    assert told["batch"] in hub("batches", "list").stdout
    assert "taken back: CITY" in hub("explain", "e1").stdout
    hub("undo", "--batch", told["batch"])
    box.settle()
    assert city() == "Kyiv"


def test_what_others_changed_is_listed(hub: Hub, box: Box) -> None:
    WORLDS["crm"].records[("deal", "7")]["CITY"] = "Lviv"
    told = hub("undo", "d1").stdout
    assert "CITY: left at Lviv, changed by somebody at crm, which did not tell the hub" in told
    assert "nothing is written back" in told
    assert hub.json("batches", "list") == []


def test_a_deal_that_is_no_more(hub: Hub, box: Box) -> None:
    del WORLDS["crm"].records[("deal", "7")]
    told = hub.json("undo", "d1")
    assert told["batch"] is None and told["records"][0]["trouble"] == "the record is no more"


def test_a_replay_of_many_says_its_batch(hub: Hub, box: Box) -> None:
    WORLDS["crm"].records[("deal", "7")]["CITY"] = "Odesa"
    said = hub("replay", "--since", "1h", "--again").stdout
    box.settle()
    [batch] = hub.json("batches", "list")
    assert f"hub undo --batch {batch['batch']} takes it back" in said
    assert batch["deliveries"] == 2 and batch["batch"].startswith("replay-")
    told = hub.json("undo", "--batch", batch["batch"], "--delete", "--dry-run")
    assert [one["why"] for one in told["created"] if "lead" in one["record"]] == [
        "created, not deleted: crm has no action that deletes a lead"
    ]


def test_a_retry_of_many_is_a_batch_and_of_one_is_none(hub: Hub, box: Box) -> None:
    def refuse(action: Action) -> None:
        raise Refused("not now")

    WORLDS["crm"].fail = refuse
    for _ in range(3):
        box.send(form(PHONE, city="Kyiv"))
    box.settle()
    WORLDS["crm"].fail = lambda action: None
    parked = [one["id"] for one in box.deliveries() if one["state"] == "parked"]
    assert "batch" not in hub("retry", f"d{parked[0]}").stdout
    assert "they are batch retry-" in hub("retry", "--all").stdout
    box.settle()
    [batch] = hub.json("batches", "list")
    assert batch["deliveries"] == len(parked) - 1


def test_what_is_refused(hub: Hub, box: Box) -> None:
    assert "or say --batch" in hub("undo", code=2).stderr
    assert 'there is no batch "x"' in hub("undo", "--batch", "x", code=2).stderr
    assert 'there is no batch "x"' in hub("batches", "show", "x", code=2).stderr
    assert "there is no delivery d99" in hub("undo", "d99", code=1).stderr
    hub.write(YAML.replace("crm:", "other:").replace("crm.", "other."))
    assert "hub.yaml has no connection crm any more" in hub("undo", "d1").stdout
