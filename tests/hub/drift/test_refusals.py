"""What the vendor refuses by name when it is written, and looks that fail."""

from __future__ import annotations

from collections.abc import Callable

from hub.errors import AuthFailed, Refused
from hub.handwork import drop
from hub.model import Action
from hub.store import state
from tests.hub.drift.accounts import (
    ACCOUNTS,
    FIELD,
    START,
    YAML,
    change,
    leads,
    look,
    parked,
    told,
)
from tests.hub.fakes import WORLDS, Box, form


def test_what_the_vendor_refuses_by_name_is_left_out_and_the_rest_is_written(hub: Callable[..., Box]) -> None:
    box = hub()

    def fussy(action: Action) -> None:
        if "UF_BREED" in action.values:
            raise Refused("bad value", {"UF_BREED": "no such option"})

    WORLDS["crm"].fail = fussy
    box.send(form(city="Kyiv", breed="akita"))
    box.settle()
    (lead,) = leads()
    assert lead["UF_CITY"] == "Kyiv" and "UF_BREED" not in lead
    assert [one["state"] for one in box.deliveries()] == ["done", "done"]
    text, mend = told(box)[0]
    assert "set.UF_BREED: the vendor refused UF_BREED: no such option" in text and "restart" in mend
    look(box)
    assert parked(box) == [("UF_BREED", "akita", "parked")], "the same hub.yaml would be refused again"
    WORLDS["crm"].fail = lambda action: None
    box = hub(YAML.replace("UF_BREED: form.breed", "UF_BREED: {from: form.breed, via: [upper]}"))
    assert leads()[0]["UF_BREED"] == "AKITA"
    look(box)
    assert told(box) == []


def test_a_refusal_that_leaves_nothing_or_names_something_else_parks_as_ever(hub: Callable[..., Box]) -> None:
    yaml = YAML.replace('          TITLE: "Site: {{ contact.name }}"\n', "").replace(
        "          UF_BREED: form.breed\n", ""
    )
    box = hub(yaml)

    def fussy(action: Action) -> None:
        raise Refused("bad value", {"UF_CITY": "no", **({"PHONE": "no"} if "x" in action.marker else {})})

    WORLDS["crm"].fail = fussy
    box.send(form(city="Kyiv"))
    box.settle()
    assert [one["state"] for one in box.deliveries()] == ["parked"] and parked(box) == []


def test_a_look_that_fails_changes_nothing(hub: Callable[..., Box]) -> None:
    box = hub()
    ACCOUNTS["crm"] = Refused("no right to read fields")
    look(box)
    box.send(form(city="Kyiv"))
    box.settle()
    assert leads()[0]["UF_CITY"] == "Kyiv"
    assert [text for text, _ in told(box)] == ['crm: the poll "inventory" fails: no right to read fields']
    ACCOUNTS["crm"] = AuthFailed("not for this token")
    look(box)
    with box.store.read() as db:
        assert state.healths(db).get("crm", state.Health("crm")).held is None, "it holds nothing else"
    ACCOUNTS["crm"] = [one for one in START if one.kind != "user"]  # the right to read users is missing
    look(box)
    assert told(box) == []


def test_a_replay_that_is_dropped_stays_dropped(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_CITY=None)
    look(box)
    box.send(form(city="Kyiv"))
    box.settle()
    WORLDS["crm"].fail = lambda action: (_ for _ in ()).throw(Refused("never"))
    ACCOUNTS["crm"].append(FIELD)
    look(box)
    last = box.deliveries()[-1]
    assert last["state"] == "parked"
    with box.store.write() as db:
        drop(db, last["id"])
    look(box)
    assert parked(box)[0][2] == "replayed" and len(box.deliveries()) == 3
