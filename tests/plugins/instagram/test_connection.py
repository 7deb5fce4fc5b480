"""Looking after a connection: settings, check, connect, consent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import marshmallow as ma
import pytest
import requests

from hub.errors import AuthFailed, HubError, Rejected
from hub.model import Request
from hub.testing import build
from plugins.instagram.connector import Instagram
from plugins.instagram.sandbox import ACCOUNT, CLIENT, OTHER_ACCOUNT
from tests.plugins.instagram.conftest import Shop

LEAST = {"app_secret": "s3cret-of-the-app", "verify_token": "a-word-of-ours"}


def said(shop: Shop, level: str = "") -> str:
    return "\n".join(f"{one.text} {one.remedy}" for one in shop.connector.check() if level in ("", one.level))


# --- settings -----------------------------------------------------------------------------------------------------


def test_the_recipes_settings_load() -> None:
    connector = build(Instagram, {**LEAST, "access_token": "IGtoken"})
    assert connector.settings["app_secret"] == ("s3cret-of-the-app",)
    assert list(connector.hosts()) == ["graph.instagram.com", "api.instagram.com"]
    assert list(build(Instagram, {**LEAST, "login": "facebook"}).hosts()) == ["graph.facebook.com"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"login": "tiktok"}, "login"),
        ({"app_secret": ""}, "secret is missing"),
        ({"verify_token": "short"}, "8 characters"),
        ({"account_id": "fake.shop"}, "id is a number"),
        ({"access_token": "a", "accounts": {"1": "b"}}, "for several"),
        ({"account_id": "1", "accounts": {"1": "b"}}, "names the ids"),
        ({"accounts": {"shop": "b"}}, "id is a number"),
        ({"version": "26"}, "v26.0"),
        ({"backfill": "sometimes"}, "is not a duration"),
        ({"human_agent": "perhaps"}, "neither yes nor no"),
        ({"api_url": "http://graph.example"}, "stand-in on this machine"),
        ({"api_url": "graph"}, "is not an address"),
    ],
)
def test_wrong_settings_are_told_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ma.ValidationError, match=words):
        build(Instagram, {**LEAST, **changes})


def test_connections_of_one_account_share_its_limits() -> None:
    one, other = (build(Instagram, {**LEAST, "account_id": ACCOUNT}, name=name) for name in ("one", "other"))
    assert one.limits().key == other.limits().key == f"instagram:{ACCOUNT}"
    assert build(Instagram, LEAST).limits().key == ""


# --- hub check --live ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["instagram", "facebook"])
def test_all_is_well(shops: Callable[..., Shop], login: str) -> None:
    shop = shops(login)
    shop.connector.poll("subscription", None)
    assert {one.level for one in shop.connector.check()} == {"ok"}
    assert f"id {ACCOUNT}" in said(shop)
    assert "https://hub.example.com/in/insta" in said(shop)


def test_what_is_wrong_is_found(shop: Shop) -> None:
    assert "aren't subscribed" in said(shop, "problem")
    shop.connector.poll("subscription", None)
    shop.connect(account_id=None)
    assert f"set account_id: {ACCOUNT}" in said(shop, "warning")
    shop.connect(account_id=OTHER_ACCOUNT)
    assert f"hub.yaml says {OTHER_ACCOUNT}" in said(shop, "problem")
    shop.connect()
    shop.fault("permission", "conversations")
    assert "grant instagram_business_manage_messages" in said(shop, "problem")
    shop.fault("permission", "/comments")
    assert "grant instagram_business_manage_comments" in said(shop, "problem")
    shop.sandbox.tokens.clear()
    assert "hub connect insta prints a link for consent; or set a new token" in said(shop, "problem")


def test_trouble_of_the_moment_is_a_warning(shop: Shop) -> None:
    shop.connector.poll("subscription", None)
    shop.fault("temporary", "subscribed_apps")
    assert "could not be checked" in said(shop, "warning")
    shop.fault("temporary", "GET me")
    assert "try again later" in said(shop, "problem")


def test_how_long_the_token_lasts_is_told(shop: Shop) -> None:
    assert "is learned at its first refresh" in said(shop)
    shop.pass_(days=2)
    shop.connector.poll("tokens", None)
    assert "the token is good until 2026-05-05" in said(shop)


def test_connect_subscribes_and_says_what_to_click(shop: Shop) -> None:
    first, second = ([one.text for one in shop.connector.connect("https://hub.example.com/in/insta")] for _ in range(2))
    assert "comments" in first[0]
    assert "is subscribed already" in second[0]
    assert "can't be set by API" in first[1]


# --- consent ------------------------------------------------------------------------------------------------------


def answer(shop: Shop) -> Request:
    """Go to the page of consent as a browser does, and return what comes back to the hub."""
    url = shop.connector.authorize_url("the-state", "https://hub.example.com/oauth/insta")
    assert url is not None
    back = requests.get(url, allow_redirects=False, timeout=5).headers["location"]
    assert back.endswith("#_")
    return Request("GET", "/oauth/insta", tuple(parse_qsl(urlsplit(back).query)))


@pytest.mark.parametrize("login", ["instagram", "facebook"])
def test_a_consent_becomes_a_token_that_is_kept(shops: Callable[..., Shop], login: str) -> None:
    shop = shops(login)
    shop.connect(access_token=None)
    request = answer(shop)
    assert request.query_value("state") == "the-state"
    reply = shop.connector.consent(request)
    assert (reply.status, ACCOUNT in str(reply.body)) == (200, True)
    shop.sandbox.write(CLIENT, "Hi")
    shop.pass_(days=20)
    shop.sandbox.write(CLIENT, "Hi again")
    shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert len(shop.sent()) == 1
    with pytest.raises((AuthFailed, HubError)):
        shop.connector.consent(request)  # a code works once


def test_an_account_without_an_id_takes_what_the_login_sees(shops: Callable[..., Shop]) -> None:
    shop = shops()
    shop.connect(access_token=None, account_id=None)
    assert shop.connector.consent(answer(shop)).status == 200
    assert shop.connector._client.me(shop.connector._accounts.all()[0])["id"] == ACCOUNT


def test_a_strangers_consent_takes_no_connection_over(
    shops: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Anybody may open the page of consent; once an account is connected, no other one takes its place."""
    shop = shops()
    shop.connect(access_token=None, account_id=None)
    shop.connector.consent(answer(shop))
    before = shop.connector._accounts.token(shop.connector._accounts.all()[0])
    monkeypatch.setattr(shop.connector._oauth, "by_code", lambda code, redirect: {OTHER_ACCOUNT: {"token": "theirs"}})
    with pytest.raises(Rejected, match=f"this connection is of account {ACCOUNT}"):
        shop.connector.consent(Request("GET", "/oauth/insta", (("code", "x"),)))
    assert shop.connector._accounts.token(shop.connector._accounts.all()[0]) == before


def test_the_consent_of_another_account_is_no_use(shops: Callable[..., Shop]) -> None:
    shop = shops()
    shop.connect(access_token=None, account_id=OTHER_ACCOUNT)
    with pytest.raises(Rejected, match=f"this login sees {ACCOUNT}, hub.yaml names {OTHER_ACCOUNT}"):
        shop.connector.consent(answer(shop))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ((("error", "access_denied"), ("error_description", "The user denied your request")), 403),
        ((("state", "x"),), 400),
    ],
)
def test_a_consent_that_was_not_given(shop: Shop, query: tuple[tuple[str, str], ...], status: int) -> None:
    with pytest.raises(Rejected) as caught:
        shop.connector.consent(Request("GET", "/oauth/insta", query))
    assert caught.value.status == status


def test_a_wrong_code_ends_in_words(shop: Shop) -> None:
    with pytest.raises(HubError, match="Matching code was not found"):
        shop.connector.consent(Request("GET", "/oauth/insta", (("code", "AQwrong"), ("state", "x"))))


def test_without_an_app_id_there_is_no_consent() -> None:
    connector = build(Instagram, LEAST)
    assert connector.authorize_url("x", "https://hub.example.com/oauth/insta") is None
    with pytest.raises(Rejected):
        connector.consent(Request("GET", "/oauth/insta", (("code", "x"),)))


@pytest.mark.parametrize("shape", ["wrapped", "flat"])
def test_both_shapes_of_an_exchanged_code(shape: str) -> None:
    from pathlib import Path

    import orjson

    from plugins.instagram.oauth import flat

    file = Path(__file__).parent / "samples" / f"token-code-exchange-{shape}.response.json"
    assert flat(orjson.loads(file.read_bytes())) == "FAKE_SHORT_TOKEN"


def test_calls_carry_a_proof_where_the_app_wants_one(shops: Callable[..., Shop]) -> None:
    shop = shops("facebook")
    shop.connect(proof="yes")
    asked: list[dict[str, Any]] = []
    original = shop.connector.http.request

    def request(method: str, url: str, **options: Any) -> Any:
        asked.append(options)
        return original(method, url, **options)

    shop.connector.http.request = request  # type: ignore[method-assign]
    shop.connector._client.me(shop.connector._accounts.all()[0])
    assert len(asked[0]["params"]["appsecret_proof"]) == 64
    assert asked[0]["headers"]["Authorization"].startswith("Bearer ")
    assert "access_token" not in asked[0]["params"]
