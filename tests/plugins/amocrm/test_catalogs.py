"""Catalogs, users, tags, bots, many records at once and bare calls, against the stand-in."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Gone, Refused


def test_catalogs_users_tags_and_bots(account: Any) -> None:
    made = account.do("element.create", {"catalog": "4521", "name": "Торт", "SKU": "T-1", "PRICE": "900"})
    [found] = account.connector.find("element", {"catalog": "4521", "SKU": "T-1"})
    assert (found["id"], found["extra"]["PRICE"]) == (made.id, "900")
    account.do("element.update", {"catalog": "4521", "PRICE": "950"}, id=made.id)
    assert account.connector.find("element", {"catalog": "4521", "name": "Торт"})[0]["extra"]["PRICE"] == "950"
    assert account.do("user.find", find={"email": "user3000002@example.com"}).id == "3000002"
    assert account.do("tag.create", {"name": "новый", "record": "contact"}).result["count"] == 1
    deal = account.do("deal.create", {"name": "x"}).id
    account.do("bot.run", {"bot": "17", "deal": deal})
    assert account.sandbox.api_calls == [{"salesbot": [{"bot_id": 17, "entity_id": int(deal), "entity_type": 2}]}]


def test_listing_a_catalog_and_the_users(account: Any) -> None:
    cake = account.do("element.create", {"catalog": "4521", "name": "Торт", "SKU": "T-1", "PRICE": "900"}).id
    pie = account.do("element.create", {"catalog": "4521", "name": "Торт малый", "SKU": "T-10", "PRICE": "400"}).id
    told = account.do("element.list", find={"catalog": "4521"}).result
    assert [(row["id"], row["name"], row["catalog"]) for row in told["rows"]] == [
        (cake, "Торт", "4521"), (pie, "Торт малый", "4521"),
    ]  # fmt: skip
    assert [row["id"] for row in account.do("element.list", find={"catalog": "4521", "SKU": "T-1"}).result["rows"]] == [
        cake
    ]
    for find, words in (({"name": "Торт"}, "needs its catalog"), ({}, "needs a condition")):
        with pytest.raises(Refused, match=words):
            account.do("element.list", find=find)
    with pytest.raises(Gone):
        account.do("element.list", find={"catalog": "9999"})
    people = account.do("user.list", find={"id": ["3000001", "3000003"]}).result
    assert [(row["id"], row["name"]) for row in people["rows"]] == [
        ("3000001", "Управляющий"), ("3000003", "Администратор 2"),
    ]  # fmt: skip
    assert account.do("user.list", find={"name": "никто"}).result == {"rows": [], "count": 0}


def test_many_at_once_and_the_bad_ones_are_told(account: Any) -> None:
    rows: list[dict[str, Any]] = [{"name": f"n{place}", "601003": str(place)} for place in range(120)]
    rows[7]["601003"] = "много"
    rows[60]["stage"] = "7100001/61000001"
    done = account.do("batch.create", {"record": "deal", "rows": rows})
    assert done.result["count"] == 119
    [refused] = done.result["refused"]
    assert refused["row"] == 7
    assert account.sandbox.calls["POST leads"] == 3
    changed = [{"id": row["id"], "price": "5"} for row in done.result["rows"][:60]]
    account.fault("gateway", "PATCH leads")  # too slow for 50: sent in halves
    assert account.do("batch.update", {"record": "deal", "rows": changed}).result["count"] == 60
    assert account.sandbox.calls["PATCH leads"] == 4


def test_one_bad_item_of_a_batch_doesnt_poison_the_rest(account: Any) -> None:
    """amoCRM refuses the whole batch: what it names is left out, the rest is sent again."""
    account.do("deal.create", {"name": "x", "601002": "so that the fields are known"})
    account.sandbox.world.fields["leads"] = [
        one for one in account.sandbox.world.fields["leads"] if one["id"] != 601003
    ]
    done = account.do("batch.create", {"rows": [{"name": "a"}, {"name": "b", "601003": "1"}, {"name": "c"}]})
    assert [row["row"] for row in done.result["rows"]] == [0, 2]
    assert done.result["refused"][0]["row"] == 1
    assert "NotSupportedChoice" in done.result["refused"][0]["why"]


def test_any_call_by_its_name(account: Any) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    assert account.do("api", method=f"GET /api/v4/leads/{deal}").result["name"] == "x"
    account.do("api", {"body": {"name": "y"}}, method=f"PATCH leads/{deal}")
    assert account.raw("leads", deal)["name"] == "y"
    for method in ("", "GET ../../oauth2/access_token", "GET https://evil.example/"):
        with pytest.raises(Refused):
            account.do("api", method=method)
