"""Deals against the stand-in, over real HTTP: what each action leaves in the account, and what it answers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub.errors import Gone, Refused
from tests.plugins.amocrm.conftest import LONG_AGO, PERSON


def test_a_deal_with_fields_of_every_type(account: Any) -> None:
    contact = account.contact()
    values = {
        "name": "Сайт: Анна", "stage": "7100001/61000001", "price": "1499.50", "responsible": "3000002",
        "601001": "2026-05-04T18:30", "601002": "Замок", "601003": "4", "601013": "Корпоратив",
        "601014": ["Торт", "Фото"], "601015": "yes", "601016": "2026-05-03", "601017": "https://example.com",
        "601018": {"city": "Москва", "zip": "101000"}, "601019": {"name": "ООО", "entity_type": 1},
        "601020": "10.50", "UTM_SOURCE": "vk", "tags": "сайт, новый",
    }  # fmt: skip
    done = account.do("deal.create", values, contact=str(contact), marker="hub-1")
    row = account.raw("leads", done.id)
    assert (row["name"], row["price"], row["status_id"], row["responsible_user_id"]) == (
        "Сайт: Анна",
        1500,
        61000001,
        3000002,
    )
    assert row["tags"] == ["сайт", "новый"]
    moscow = dt.timezone(dt.timedelta(hours=3))
    assert account.field("leads", done.id, 601001) == [int(dt.datetime(2026, 5, 4, 18, 30, tzinfo=moscow).timestamp())]
    assert account.field("leads", done.id, 601016) == [int(dt.datetime(2026, 5, 3, tzinfo=moscow).timestamp())]
    assert account.field("leads", done.id, 601013) == ["Корпоратив"]
    assert account.field("leads", done.id, 601014) == ["Торт", "Фото"]
    assert account.field("leads", done.id, 601015) == [True]
    assert account.field("leads", done.id, 601018) == ["Москва", "101000"]
    assert account.field("leads", done.id, 601019) == [{"name": "ООО", "entity_type": 1}]
    assert account.field("leads", done.id, 601005) == ["vk"]
    read = account.connector.get("deal", done.id)
    assert read["contact"] == str(contact)
    assert (read["stage"], read["amount"], read["stage_name"]) == ("7100001/61000001", "1500", "Новая")
    assert read["source"] == {"utm_source": "vk"}
    assert read["url"] == f"{account.url}/leads/detail/{done.id}"


def test_what_was_written_reads_back_the_same(account: Any) -> None:
    """The hub knows its own echo by comparing these."""
    values = {"name": "x", "stage": "7100001/61000001", "price": "700", "601001": "2026-05-04T18:30:00+03:00",
              "601013": "Корпоратив", "601014": "Торт", "601015": "yes", "601018": {"city": "Москва"},
              "UTM_SOURCE": "vk"}  # fmt: skip
    done = account.do("deal.create", values, marker="hub-1")
    extra = account.connector.get("deal", done.id)["extra"]
    told = {name: value for name, value in done.written.items() if name not in ("stage", "responsible")}
    assert {name: extra.get(name) for name in told} == told


def test_an_update_writes_only_what_differs(account: Any) -> None:
    done = account.do("deal.create", {"name": "x", "601002": "Замок", "601003": "4"})
    account.sandbox.calls.clear()
    same = account.do("deal.update", {"name": "x", "601002": "Замок", "601003": 4}, id=done.id)
    assert same.written == {}
    assert not [call for call in account.sandbox.calls if call.startswith("PATCH")]
    changed = account.do("deal.update", {"601002": "Бункер", "601003": ""}, id=done.id)
    assert changed.written == {"601002": "Бункер", "601003": None}
    assert changed.before["601002"] == "Замок"
    assert account.field("leads", done.id, 601003) is None


def test_a_deals_contact_and_note_are_added_once(account: Any) -> None:
    contact = account.contact()
    done = account.do("deal.create", {"name": "x", "note": "первый"})
    for _ in range(2):
        account.do("deal.update", {"contact": str(contact), "note": "второй"}, id=done.id, in_doubt_since=LONG_AGO)
    assert account.connector.get("deal", done.id)["contacts"] == [str(contact)]
    assert [note["params"]["text"] for note in account.sandbox.world.notes.values()] == ["первый", "второй"]


def test_a_stage_is_written_with_its_pipeline(account: Any) -> None:
    done = account.do("deal.create", {"name": "x", "stage": "7100001/61000001"})
    moved = account.do("deal.set_stage", {"stage": "7100002/142"}, id=done.id)
    row = account.raw("leads", done.id)
    assert (row["pipeline_id"], row["status_id"]) == (7100002, 142)
    assert row["closed_at"]
    assert moved.written == {"pipeline_id": 7100002, "status_id": 142, "stage": "7100002/142"}
    assert account.do("deal.set_stage", {"stage": "7100002/142"}, id=done.id).written == {}


def test_the_order_of_a_pipelines_stages(account: Any) -> None:
    order = account.connector.stage_order("deal", "7100001/61000002")
    assert order[0] == "7100001/61000000"
    assert order[-2:] == ["7100001/142", "7100001/143"]
    assert order.index("7100001/61000001") < order.index("7100001/61000003")
    assert account.connector.stage_order("contact", "7100001/61000002") == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"stage": "142"}, "several pipelines"),
        ({"stage": "7100001/999"}, "there is no stage"),
        ({"601013": "Свадьба"}, "has no option 'Свадьба'"),
        ({"601001": "завтра"}, "is no date"),
        ({"601003": "много"}, "is no number"),
        ({"price": "дорого"}, "is no amount"),
        ({"responsible": "Анна"}, "is no id"),
        ({"999999": "x"}, "have no field '999999'"),
        ({"Квест": "x"}, "its id is 601002"),
        ({"601018": {"planet": "Земля"}}, "has no part 'planet'"),
    ],
)
def test_what_cant_be_is_told_before_it_is_sent(account: Any, values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        account.do("deal.create", {"name": "x", **values})
    assert account.sandbox.world.records["leads"] == {}


def test_a_field_deleted_meanwhile_is_named(account: Any) -> None:
    """The account's fields are remembered for ten minutes; what an administrator deletes then is refused by amoCRM."""
    account.do("deal.create", {"name": "x", "601002": "Замок"})
    account.sandbox.world.fields["leads"] = [
        one for one in account.sandbox.world.fields["leads"] if one["id"] != 601002
    ]
    with pytest.raises(Refused) as caught:
        account.do("deal.create", {"name": "y", "601002": "Замок"})
    assert "601002" in caught.value.fields
    with pytest.raises(Refused, match="have no field '601002'"):  # asked anew
        account.do("deal.create", {"name": "y", "601002": "Замок"})


def test_a_deal_with_its_contact_in_one_call(account: Any) -> None:
    done = account.do("deal.create_complex", {"name": "x", "company": "ООО"}, person=PERSON, marker="hub-1")
    contact = account.raw("contacts", done.result["contact"])
    assert contact["name"] == "Анна Петрова"
    assert dict(done.links).keys() == {"deal", "contact", "company"}
    assert done.result["merged"] is False
    assert account.sandbox.calls["POST leads/complex"] == 1
    assert "POST contacts" not in account.sandbox.calls


def test_a_record_that_is_gone(account: Any) -> None:
    done = account.do("deal.create", {"name": "x"})
    account.control("delete", kind="leads", id=done.id)
    for act in (
        lambda: account.do("deal.update", {"name": "y"}, id=done.id),
        lambda: account.do("deal.set_stage", {"stage": "7100001/142"}, id=done.id),
        lambda: account.connector.get("deal", done.id),
        lambda: account.connector.get("deal", "../account"),
    ):
        with pytest.raises(Gone):
            act()


def test_finding_deals_of_a_person(account: Any) -> None:
    contact = account.contact()
    lost = account.do("deal.create", {"name": "a", "stage": "7100001/143"}, contact=str(contact)).id
    first = account.do("deal.create", {"name": "b"}, contact=str(contact)).id
    account.do("deal.create", {"name": "c"})
    for by in ({"phone": "89161112233"}, {"contact": str(contact)}):
        assert [one["id"] for one in account.connector.find("deal", by)] == [lost, first]
        assert [one["id"] for one in account.connector.find("deal", {**by, "open": True})] == [first]
    old = {"contact": str(contact), "since": dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)}
    assert account.connector.find("deal", old) == []


@pytest.mark.parametrize("filters", [True, False])
def test_finding_by_fields_whether_filters_are_on_or_off(accounts: Any, filters: bool) -> None:
    account = accounts({"filters": filters})
    values = {"name": "x", "601011": "MK-17", "601001": "2026-05-04T18:30", "601013": "Корпоратив", "601002": "Замок"}
    made = account.do("deal.create", {**values, "stage": "7100001/61000003"}).id
    account.do("deal.create", {"name": "y", "601011": "MK-177", "601001": "2026-05-05T18:30", "601002": "Замок"})
    for by in (
        {"601011": "MK-17"},
        {"601001": "2026-05-04T15:30:00+00:00"},
        {"601013": "Корпоратив"},
        {"stage": ["7100001/61000003", "7100001/61000004"], "601002": "Замок"},
        {"name": "X"},
    ):
        assert [one["id"] for one in account.connector.find("deal", by)] == [made], by
    with pytest.raises(Refused, match="have no field"):
        account.connector.find("deal", {"nonsense": "1"})
    with pytest.raises(Refused, match="needs a condition"):
        account.connector.find("deal", {})


def test_listing_deals(account: Any) -> None:
    """A list is all that fits all of the words, oldest first; tests of `find` show each word alone."""
    contact = account.contact()
    stage = {"stage": "7100001/61000002"}
    first = account.do("deal.create", {"name": "a", "tags": "сайт", **stage}, contact=str(contact)).id
    second = account.do("deal.create", {"name": "b", "tags": "сайт, VIP", "price": "900", **stage}).id
    account.do("deal.create", {"name": "c", "tags": "сайт", "stage": "7100001/143"})
    for by, ids in (
        ({**stage}, [first, second]),
        ({**stage, "tag": "VIP"}, [second]),
        ({"tag": "сайт", "open": True}, [first, second]),
        ({"amount": "900"}, [second]),
        ({"contact": str(contact)}, [first]),
        ({**stage, "responsible": "3000002"}, []),
    ):
        told = account.do("deal.list", find=by).result
        assert ([row["id"] for row in told["rows"]], told["count"]) == (ids, len(ids)), by
    told = account.do("deal.list", find=stage, limit=1).result
    assert ([row["id"] for row in told["rows"]], told["count"]) == ([first], 1)
    for by, words in (({}, "needs a condition"), ({"stage": "142"}, "several pipelines")):
        with pytest.raises(Refused, match=words):
            account.do("deal.list", find=by)
