"""Bad days of both products, and looking after a connection, against the stand-in over real HTTP."""

from __future__ import annotations

import datetime as dt

import pytest

from hub.errors import AuthFailed, RateLimited, Refused, Retry, Uncertain
from hub.model import Action
from plugins.unisender.connector import Classic, Go
from plugins.unisender.go_client import GoClient
from tests.plugins.unisender.conftest import Account, act

LETTER = {"email": "reader@example.com", "list_id": "guests", "subject": "Hi", "body": "<b>Hi</b>"}
NOW = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)


# --- bad days -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("bad_key", AuthFailed),
        ("no_rights", AuthFailed),
        ("rate_limit", RateLimited),
        ("retry_later", Retry),
        ("no_money", Refused),
        ("outage", Uncertain),
        ("503", Uncertain),
    ],
)
def test_bad_days(account: Account, kind: str, error: type[Exception]) -> None:
    account.fault(kind)
    with pytest.raises(error) as caught:
        act(account.classic, "sms.send", {"phone": "89161234567", "text": "x"})
    assert type(caught.value) is error
    account.fault(kind)
    with pytest.raises(error) as caught:
        act(account.go, "email.send", {"email": "reader@example.com", "subject": "x", "html": "y"})
    assert type(caught.value) is error
    assert account.sandbox.credentials()["api_key"] not in str(caught.value)


def test_actions_belong_to_their_product(account: Account) -> None:
    from hub.errors import PluginError

    for connector, name in ((account.classic, "email.validate"), (account.go, "contact.subscribe")):
        with pytest.raises(PluginError, match="no action"):
            connector.perform(Action(name, *name.split(".")))
    with pytest.raises(Refused, match="only for contact"):
        account.classic.find("deal", {})


# --- looking after the connection -----------------------------------------------------------------


def test_check_and_names(account: Account) -> None:
    texts = [f"{one.level} {one.text}" for one in account.classic.check()]
    assert "ok list guests = 134: List A" in texts
    assert "problem no webhook leads to https://hub.example.com/in/letters" in texts
    assert any("no secret end" in text for text in texts)
    names = account.classic.names()
    assert names["fields"]["city"] == ("City", "City")
    assert names["lists"]["list_a"] == ("134", "List A")
    assert "Care letter" in str(account.go.names())
    assert [one.level for one in account.go.check()] == ["ok", "problem", "warning"]


def test_check_finds_what_is_gone(account: Account) -> None:
    del account.world.lists["134"]
    account.classic.connection.names = {"fields": {"breed": "Breed", "city": "City"}}
    texts = [one.text for one in account.classic.check() if one.level == "problem"]
    assert texts[:2] == ["list guests = 134 doesn't exist", "field breed = Breed doesn't exist"]


@pytest.mark.parametrize("product", ["classic", "go"])
def test_check_with_a_dead_key(account: Account, product: str) -> None:
    account.fault("bad_key")
    [finding] = getattr(account, product).check()
    assert finding.level == "problem"
    assert "API key" in finding.text


def test_check_goes_on_where_one_question_fails(account: Account) -> None:
    account.fault("503", "listHooks")
    levels = [one.level for one in account.classic.check()]
    assert levels.count("ok") == 3
    assert "warning" in levels
    assert isinstance(account.go._client, GoClient)


def test_variants_are_told_apart(account: Account) -> None:
    assert isinstance(account.classic, Classic)
    assert isinstance(account.go, Go)
    assert account.classic.title != account.go.title
