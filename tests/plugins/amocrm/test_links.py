"""Links and tags against the stand-in: what hangs together afterwards, for each kind of record."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Gone, Refused, Uncertain
from hub.model import Event
from plugins.amocrm import codes
from tests.plugins.amocrm.conftest import LONG_AGO

#: (action, the other record) for each pair that amoCRM links
PAIRS = [
    ("deal.link", "deal.unlink", "contact"),
    ("deal.link", "deal.unlink", "company"),
    ("contact.link", "contact.unlink", "company"),
    ("contact.link", "contact.unlink", "deal"),
    ("company.link", "company.unlink", "contact"),
    ("company.link", "company.unlink", "deal"),
    ("customer.link", "customer.unlink", "contact"),
    ("customer.link", "customer.unlink", "company"),
]


def made(account: Any, kind: str, name: str = "x") -> str:
    """Make a record of a kind and return its id."""
    return str(account.do(f"{kind}.create", {"name": name}).id)


def linked(account: Any, kind: str, number: str) -> set[tuple[str, int]]:
    """Return what hangs on a record, as the account tells it: {("contacts", 55)}."""
    found = account.act("GET", f"{codes.ENTITIES[kind].path}/{number}/links")
    rows = found["_embedded"]["links"] if found else []
    return {(row["to_entity_type"], row["to_entity_id"]) for row in rows}


# --- links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("link", "unlink", "other"), PAIRS, ids=[f"{one[0]}-{one[2]}" for one in PAIRS])
def test_a_link_is_made_once_and_taken_alone(account: Any, link: str, unlink: str, other: str) -> None:
    """Both ends show it; taking it leaves the record's other link as it was."""
    kind = link.partition(".")[0]
    one, two, three = made(account, kind), made(account, other), made(account, other)
    ends = {(codes.ENTITIES[other].path, int(number)) for number in (two, three)}
    account.do(link, {other: [two, three]}, id=one)
    again = account.do(link, {other: two}, id=one)
    assert (again.id, again.result["count"]) == (one, 1)
    assert linked(account, kind, one) == ends
    assert linked(account, other, two) == {(codes.ENTITIES[kind].path, int(one))}
    account.do(unlink, {other: two}, id=one)
    assert linked(account, kind, one) == ends - {(codes.ENTITIES[other].path, int(two))}
    assert linked(account, other, two) == set()
    account.do(unlink, {other: two}, id=one)  # what isn't there is no harm: the try may be repeated
    assert len(account.sandbox.world.links) == 1


def test_who_is_the_main_contact(account: Any) -> None:
    first, second = account.contact(), account.contact("+79260000001", "Борис")
    deal = account.do("deal.create", {"name": "x", "contact": str(first)}).id
    assert account.connector.get("deal", deal)["contact"] == str(first)
    account.do("deal.link", {"contact": str(second)}, id=deal)
    found = account.connector.get("deal", deal)
    assert (found["contact"], found["contacts"]) == (str(first), [str(first), str(second)])
    account.do("deal.link", {"contact": str(second), "main": "yes"}, id=deal)
    assert account.connector.get("deal", deal)["contact"] == str(second)


def test_a_deals_goods_come_with_their_quantity(account: Any) -> None:
    contact, element = (
        account.contact(),
        account.do("element.create", {"catalog": "4521", "name": "Торт", "PRICE": "900"}),
    )
    done = account.do("deal.create", {"name": "x"})
    account.do("deal.link", {"contact": str(contact)}, id=done.id)
    account.do("deal.link", {"element": element.id, "catalog": "4521", "quantity": "2"}, id=done.id)
    hint = Event("deal.updated", f"deal:{done.id}", "k", {"deal": {"id": done.id}}, incomplete=True)
    [event] = account.complete(hint, needs=("contact", "goods"))
    assert event.record["contact"]["phone"] == "+79161112233"
    [goods] = event.record["deal"]["goods"]
    assert (goods["name"], goods["price"], goods["quantity"], goods["sum"]) == ("Торт", "900", "2", "1800")
    account.do("deal.unlink", {"element": element.id, "catalog": "4521"}, id=done.id)
    [event] = account.complete(hint, needs=("goods",))
    assert "goods" not in event.record["deal"]
    assert event.record["deal"]["contact"] == str(contact)


@pytest.mark.parametrize("kind", ["deal", "contact", "company", "customer"])
@pytest.mark.parametrize("verb", ["link", "unlink"])
def test_links_that_cant_be(account: Any, kind: str, verb: str) -> None:
    one, twin = made(account, kind), made(account, kind)
    before = account.sandbox.calls.copy()
    for values, words in (
        ({}, f"needs what to {verb}"),
        ({kind: twin}, f"links no {kind} to a {kind}"),
        ({"contact" if kind != "contact" else "deal": "Анна"}, "is no id"),
        ({"element": "5"}, "catalog: '(None|)' is no id"),
    ):
        with pytest.raises(Refused, match=words):
            account.do(f"{kind}.{verb}", values, id=one)
    with pytest.raises(Refused, match="needs a record"):
        account.do(f"{kind}.{verb}", {"company": "5"} if kind != "company" else {"deal": "5"})
    assert account.sandbox.calls == before  # none of them was sent
    other = "contact" if kind != "contact" else "deal"
    with pytest.raises(Gone):
        account.do(f"{kind}.{verb}", {other: "5"}, id=one)
    assert account.sandbox.world.links == []


# --- two contacts that are one person ----------------------------------------------------------------


@pytest.mark.parametrize("lost", ["", "/link", "/unlink", "PATCH contacts", "contacts/notes"])
def test_a_doubles_deals_go_over_to_the_other_contact(account: Any, lost: str) -> None:
    """amoCRM has no merge: deals are linked anew, the double is tagged and told where its deals are, each once.

    Whichever answer gets lost, the same acts once more leave the same account.
    """
    double, stays = account.contact("8 916 111-22-33"), account.contact("+79161112233")
    deals = [account.do("deal.create", {"name": name, "contact": str(double)}).id for name in ("a", "b")]
    account.do("note.create", {"contact": str(double), "text": "любит хоррор"})

    def relink(since: Any = None) -> None:
        [told] = account.do("note.list", find={"contact": str(double), "text": "любит хоррор"}).result["rows"]
        for deal in deals:
            account.do("deal.link", {"contact": str(stays), "main": "yes"}, id=deal)
            account.do("deal.unlink", {"contact": str(double)}, id=deal)
        account.do("contact.tag", {"tags": "дубль"}, id=str(double))
        account.do("note.create", {"contact": str(stays), "text": told["text"]}, in_doubt_since=since)

    if lost:
        account.fault("lost_reply", lost)
        with pytest.raises(Uncertain):
            relink()
    relink(LONG_AGO if lost else None)
    assert [account.connector.get("deal", deal)["contacts"] for deal in deals] == [[str(stays)]] * 2
    assert linked(account, "contact", str(double)) == set()
    assert account.connector.find("deal", {"contact": str(double)}) == []
    assert [row["id"] for row in account.connector.find("deal", {"contact": str(stays)})] == deals
    assert account.raw("contacts", double)["tags"] == ["дубль"]
    notes = account.do("note.list", find={"contact": str(stays)}).result["rows"]
    assert [note["text"] for note in notes] == ["любит хоррор"]


# --- tags --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["deal.tag", "contact.tag", "company.tag"])
def test_tags_come_and_go(account: Any, action: str) -> None:
    kind = action.partition(".")[0]
    number, path = made(account, kind), codes.ENTITIES[kind].path
    first = account.do(action, {"tags": "VIP, опт"}, id=number)
    assert (account.raw(path, number)["tags"], first.written) == (["VIP", "опт"], {"tags": ["VIP", "опт"]})
    account.do(action, {"tags": ["b", "VIP"], "remove": "опт, нет такого"}, id=number)
    assert account.raw(path, number)["tags"] == ["VIP", "b"]
    account.sandbox.calls.clear()
    assert account.do(action, {"tags": "b", "remove": "опт"}, id=number).written == {}
    assert list(account.sandbox.calls) == [f"GET {path}/{number}"]  # read, and nothing to write
    assert account.connector.get(kind, number)["tags"] == ["VIP", "b"]
    account.control("delete", kind=path, id=number)
    with pytest.raises(Gone):
        account.do(action, {"tags": "c"}, id=number)
