"""Secrets and people's data stay out of what is shown and logged (P13)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.masking import Masker, mask_headers, mask_person, mask_strangers, quoted

HOOK = "https://x.example/rest/1/abcdefgh12345678/"


@pytest.mark.parametrize(
    "text",
    ["s3cr/et key", "a s3cr%2Fet%20key b", "s3cr%2fet%20key", "s3cr/et%20key", "s3cr%2Fet+key", '"s3cr\\/et key"'],
)
def test_a_secret_is_hidden_in_each_spelling(text: str) -> None:
    masked = Masker(["s3cr/et key"]).mask(text)
    assert "s3cr" not in masked and "***" in masked


@pytest.mark.parametrize(
    "text",
    ["ключ-секрет",
     "%D0%BA%D0%BB%D1%8E%D1%87-%D1%81%D0%B5%D0%BA%D1%80%D0%B5%D1%82",
     "\\u043a\\u043b\\u044e\\u0447-\\u0441\\u0435\\u043a\\u0440\\u0435\\u0442"],
)  # fmt: skip
def test_a_secret_of_other_letters_is_hidden_too(text: str) -> None:
    assert Masker(["ключ-секрет"]).mask(f"<{text}>") == "<***>"


@pytest.mark.parametrize(
    "text", [f"{HOOK}crm.lead.add", "The URL /rest/1/abcdefgh12345678/crm.lead.add was not found", HOOK[:-1]]
)
def test_a_webhooks_address_is_hidden_whole_and_by_its_path(text: str) -> None:
    assert "abcdefgh12345678" not in Masker([HOOK]).mask(text)


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Masker(["abcd", "abcdefgh"]).mask("abcdefgh abcd") == "*** ***"


def test_a_word_too_short_to_be_a_secret_is_left() -> None:
    assert Masker(["", "abc"]).mask("abc abcd") == "abc abcd"


def test_a_secret_that_is_no_address_after_all_harms_nothing() -> None:
    assert Masker(["http://[bad"]).mask("x http://[bad y") == "x *** y"


@pytest.mark.parametrize(
    "name", ["access_token", "refresh_token", "auth", "client_secret", "apiKey", "api_key", "TOKEN"]
)
def test_a_token_nobody_configured_is_known_by_its_parameter(name: str) -> None:
    assert Masker().mask_call(f"POST https://x/?a=1&{name}=abc123&b=2") == f"POST https://x/?a=1&{name}=***&b=2"


def test_other_parameters_are_left() -> None:
    url = "https://x/?author=me&id=1&utm_source=ads"
    assert Masker().mask_call(url) == url


@given(st.text(min_size=4, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_whatever_the_secret_it_is_gone(secret: str, before: str, behind: str) -> None:
    masked = Masker([secret]).mask(f"{before}{secret}{behind}")
    assert secret not in masked or secret in "***" or "***" in secret or secret in before + "***" + behind


@pytest.mark.parametrize(
    ("text", "masked"),
    [("+380 67 123-45-67 called", "380***67 called"), ("anna.k@example.com wrote", "a***@example.com wrote"),
     ("8 (495) 123-45-67", "849***67"), ("order 12345678, 2026-11-23T09:00:00", "order 12345678, 2026-11-23T09:00:00"),
     ("took 1234 ms", "took 1234 ms")],
)  # fmt: skip
def test_people_are_shortened_to_what_tells_two_apart(text: str, masked: str) -> None:
    assert mask_person(text) == masked


@pytest.mark.parametrize(
    ("text", "word"),
    [("form:5", '"form:5"'), ('a" routes=9 b="', '"a\\" routes=9 b=\\""'), ("a\\", '"a\\\\"'),
     ("a\r\nERROR hub: gone\x1b[2J", '"a\\x0d\\x0aERROR hub: gone\\x1b[2J"')],
)  # fmt: skip
def test_what_came_from_outside_is_one_word_of_a_log_line(text: str, word: str) -> None:
    assert quoted(text) == word


@pytest.mark.parametrize(
    "name",
    ["authorization", "x-api-key", "x-hub-signature-256", "cookie", "x-auth-token", "client-secret", "x-password"],
)
def test_headers_that_authenticate_are_masked(name: str) -> None:
    assert mask_headers({name: "value", "user-agent": "x"}) == {name: "***", "user-agent": "x"}


def test_of_strangers_only_plain_headers_are_shown() -> None:
    """Which header carries the secret stands in the configuration: the others say how long they are."""
    told = {"user-agent": "curl", "content-type": "a/b", "x-forwarded-for": "1.2.3.4", "x-sup": "s3cret", "x-empty": ""}
    assert mask_strangers(told) == {**told, "x-sup": "*** (6 characters)"}
