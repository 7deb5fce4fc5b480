"""The contact base against the stand-in, over real HTTP: every action, and what goes wrong in it."""

from __future__ import annotations

import datetime as dt

import pytest

from hub.errors import Gone, Refused
from hub.testing.wellformed import problems
from plugins.unisender.sandbox import METHODS
from tests.plugins.unisender.conftest import Account, act

LETTER = {"email": "reader@example.com", "list_id": "guests", "subject": "Hi", "body": "<b>Hi</b>"}
NOW = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)


# --- contacts -------------------------------------------------------------------------------------


def test_the_recipes_subscription(account: Account) -> None:
    """D5 of the quest rooms, word for word."""
    values = {
        "list_ids": "guests",
        "double_optin": "3",
        "overwrite": "2",
        "fields": {"email": "Guest@Example.com", "Name": "Anna"},
    }
    done = act(account.classic, "contact.subscribe", values)
    [contact] = account.world.contacts
    assert (contact.email, contact.fields, contact.lists) == ("guest@example.com", {"Name": "Anna"}, {"134": "new"})
    assert done.result["id"] == str(contact.person_id)
    assert done.links == []


def test_subscribing_again_changes_nothing_else(account: Account) -> None:
    account.subscribe(fields={"Name": "Anna", "City": "Kazan"}, tags="vip")
    account.subscribe(list_ids="invited")
    account.subscribe(list_ids="invited")
    [contact] = account.world.contacts
    assert contact.lists == {"134": "new", "135": "new"}
    assert (contact.fields, contact.tags) == ({"Name": "Anna", "City": "Kazan"}, ["vip"])
    account.subscribe(list_ids="invited", overwrite="1", drop_other_lists="yes")
    assert contact.lists == {"135": "new"}


def test_one_who_asks_gets_the_letter_only_if_told(account: Account) -> None:
    account.subscribe()
    assert account.world.invitations == []
    account.subscribe("other@example.com", double_optin="0")
    assert account.world.invitations == [{"email": "other@example.com", "list_id": "134"}]


def test_a_phone_of_somebody_else(account: Account) -> None:
    account.subscribe(email="", fields={"phone": "89161234567"})
    account.subscribe("reader@example.com")
    done = account.subscribe("reader@example.com", fields={"phone": "89161234567", "Name": "Anna"})
    assert done.result["conflict"] is True
    assert [(one.email, one.phone) for one in account.world.contacts] == [
        ("", "+79161234567"),
        ("reader@example.com", ""),
    ]
    [event] = done.events
    assert (event.type, event.record["contact"]["phone"]) == ("vendor.contact_conflict", "+79161234567")
    assert problems(account.classic, done.events) == []


def test_a_list_without_a_confirmation_letter(account: Account) -> None:
    with pytest.raises(Refused, match="no confirmation letters"):
        account.subscribe(list_ids="invited", double_optin="0")


def test_leaving(account: Account) -> None:
    account.subscribe(list_ids="guests,invited")
    act(account.classic, "contact.unsubscribe", {"email": "reader@example.com", "list_ids": "guests"})
    act(account.classic, "contact.exclude", {"email": "reader@example.com", "list_ids": "invited"})
    assert account.world.contacts[0].lists == {"134": "unsubscribed"}
    account.subscribe()
    assert account.world.contacts[0].lists == {"134": "unsubscribed"}


def test_one_who_was_never_there_has_left(account: Account) -> None:
    for action in ("contact.unsubscribe", "contact.exclude"):
        done = act(account.classic, action, {"email": "nobody@example.com"})
        assert done.result["status"] == "not there"
    with pytest.raises(Refused, match="no list with id=999"):
        act(account.classic, "contact.exclude", {"email": account.subscribe().result["email"], "list_ids": "999"})


def test_an_import_with_some_turned_down(account: Account) -> None:
    people = [{"email": f"a{n}@example.com", "Name": "A"} for n in range(501)]
    people[500] = {"email": "info@example.com", "Name": "Office"}
    people.append({"email": "b@example.com"})
    done = act(account.classic, "contact.import", {"rows": people, "list_ids": "guests", "tags": "new"})
    assert account.sandbox.calls["importContacts"] == 3
    assert {name: done.result[name] for name in ("total", "inserted", "invalid")} == {
        "total": 502,
        "inserted": 501,
        "invalid": 1,
    }
    [entry] = done.result["log"]
    assert (entry["row"], entry["contact"], entry["code"]) == (501, "info@example.com", "role_email")
    assert all(one.lists == {"134": "active"} and one.tags == ["new"] for one in account.world.contacts)
    again = act(account.classic, "contact.import", {"rows": people[:3]})
    assert again.result["updated"] == 3


def test_an_import_of_which_nothing_was_taken(account: Account) -> None:
    with pytest.raises(Refused, match=r"none of 1: info@example\.com"):
        act(account.classic, "contact.import", {"rows": [{"email": "info@example.com"}]})
    with pytest.raises(Refused, match="20 at most"):
        act(account.classic, "contact.import", {"rows": [{"email": f"a{n}@b.ru"} for n in range(10_001)]})


def test_deleting(account: Account) -> None:
    account.subscribe()
    assert act(account.classic, "contact.delete", {"email": "reader@example.com"}).result["deleted"] == 1
    assert account.world.contacts == []
    again = act(account.classic, "contact.delete", {"email": "reader@example.com"})
    assert (again.result["deleted"], again.result["status"]) == (0, "not there")


def test_looking_up(account: Account) -> None:
    account.subscribe(fields={"Name": "Anna"}, list_ids="guests,invited")
    [found] = account.classic.find("contact", {"email": "READER@example.com"})
    assert (found["id"], found["name"], found["lists"]) == ("reader@example.com", "Anna", ["134", "135"])
    assert account.classic.get("contact", "reader@example.com")["status"] == "new"
    assert account.classic.find("contact", {"email": "nobody@example.com"}) == []
    assert account.classic.find("contact", {"phone": "+79161234567"}) == []
    with pytest.raises(Gone):
        account.classic.get("contact", "nobody@example.com")
    assert act(account.classic, "contact.find", {"email": "reader@example.com"}).id == "reader@example.com"
    asked = {"email": "reader@example.com", "list_ids": "guests,invited"}
    assert act(account.classic, "contact.in_lists", asked).result["value"] is True
    assert act(account.classic, "contact.in_lists", {**asked, "email": "x@y.ru"}).result["value"] is False
    assert act(account.classic, "contact.count", {"list_id": "guests"}).result["value"] == "1"


def test_listing_in_pages(account: Account) -> None:
    rows = [{"email": f"a{n}@example.com"} for n in range(1500)]
    act(account.classic, "contact.import", {"rows": rows, "list_ids": "guests"})
    done = act(account.classic, "contact.list", {"list_id": "guests", "field_names": "email"}, limit=1200)
    assert (done.result["count"], done.result["rows"][1199]) == (1200, {"email": "a1199@example.com"})
    assert account.sandbox.calls["exportContacts"] == 2
    assert act(account.classic, "contact.list", {"list_id": "invited"}).result["count"] == 0


def test_where_nothing_is_listed_at_once_the_file_is_named(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(METHODS, "exportContacts")
    with pytest.raises(Refused, match="use contact"):
        act(account.classic, "contact.list", {"list_id": "guests"})


def test_a_letter_has_no_more_to_tell_than_its_event(account: Account) -> None:
    """A delivery that has waited reads its event's record again: a letter must not look gone then."""
    assert account.classic.get("email", "10000000001") == {"id": "10000000001"}


# --- lists, fields, tags --------------------------------------------------------------------------


def test_lists_fields_and_tags(account: Account) -> None:
    made = act(account.classic, "list.create", {"title": "Spring"})
    again = act(account.classic, "list.create", {"title": "spring"})
    assert (made.result["made"], again.result["made"], again.id) == (True, False, made.id)
    act(account.classic, "list.rename", {"list_id": made.id, "title": "Summer"})
    assert account.classic.find("list", {"title": "Summer"})[0]["id"] == made.id
    assert account.classic.find("list", {"id": "guests"})[0]["title"] == "List A"
    assert act(account.classic, "list.list").result["count"] == 3
    assert act(account.classic, "list.delete", {"list_id": made.id}).result["deleted"] is True
    assert act(account.classic, "list.delete", {"list_id": made.id}).result["deleted"] is False
    field = act(account.classic, "field.create", {"name": "Breed", "public_name": "Порода"})
    assert act(account.classic, "field.create", {"name": "Breed"}).id == field.id
    listed = act(account.classic, "field.list").result
    assert [row["name"] for row in listed["rows"]] == ["Name", "City", "hub_id", "Breed"]
    assert (listed["count"], listed["rows"][-1]["id"]) == (4, field.id)
    assert act(account.classic, "field.delete", {"field_id": field.id}).result["deleted"] is True
    account.subscribe(tags="vip")
    [tag] = act(account.classic, "tag.list").result["rows"]
    assert act(account.classic, "tag.delete", {"tag_id": tag["id"]}).result["deleted"] is True
    for values, words in (({"name": "порода"}, "latin"), ({"name": "x", "type": "money"}, "none of string")):
        with pytest.raises(Refused, match=words):
            act(account.classic, "field.create", values)
