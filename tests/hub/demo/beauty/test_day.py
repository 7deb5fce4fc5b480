"""The day's script: its people, its payloads, its order."""

from __future__ import annotations

import re

import pytest

from hub import normal
from hub.demo.beauty import COMPANY, cast, day
from hub.demo.letters import Letter
from hub.demo.place import write_config
from hub.model import Receipt, Request
from hub.testing import build
from plugins.form.connector import FormConnector


def read(letter: Letter) -> dict:
    """Return the record the form plugin finds in a letter."""
    connector = build(FormConnector, {"secret": "s" * 16})
    request = Request(
        letter.method, "/in/x/secret", letter.query, {"content-type": letter.content_type}, letter.body, tail="secret"
    )
    [event] = connector.parse(Receipt(1, "x", "key", request, request.at))
    return event.record


@pytest.mark.parametrize("person", day.PEOPLE, ids=lambda person: person.name)
def test_every_spelling_is_the_same_phone(person: cast.Client) -> None:
    spellings = {person.spelling(n) for n in range(6)}
    assert len(spellings) == 6
    assert {normal.phone(one, "UA") for one in spellings} == {person.phone}


@pytest.mark.parametrize("shape", [cast.tilda, cast.contact_form_7, cast.elementor, cast.plain])
def test_each_shape_carries_person_and_words(shape: cast.Shape) -> None:
    record = read(shape(day.VIRA, 2, "Питання про курс"))
    assert record["contact"]["phone"] == day.VIRA.phone
    assert record["contact"]["name"] == day.VIRA.name
    assert record["form"]["comment"] == "Питання про курс"


def test_a_cart_carries_city_branch_and_sum() -> None:
    record = read(cast.cart(day.ANNA, 0, "Львів", "2", "899.50"))
    assert record["form"]["kind"] == "cart"
    assert (record["form"]["city"], record["form"]["branch"]) == ("Львів", "2")
    assert float(record["order"]["amount"]) == 899.5


def test_each_tilda_submission_has_an_id_of_its_own() -> None:
    one, other = cast.tilda(day.ANNA, 0, "a"), cast.tilda(day.ANNA, 0, "a")
    assert re.search(rb"tranid=[^&]+", one.body)[0] != re.search(rb"tranid=[^&]+", other.body)[0]  # type: ignore[index]


def test_a_sample_that_lost_a_field_is_noticed() -> None:
    with pytest.raises(KeyError, match="no nonsense"):
        cast.SAMPLES.pairs("tilda-form.webhook.txt", {}, without=("nonsense",))


def test_the_day_goes_forward_and_says_what_happens() -> None:
    times = [moment.at for moment in day.DAY]
    assert times == sorted(times)
    assert all(moment.words for moment in day.DAY)
    assert len({moment.words for moment in day.DAY}) == len(day.DAY)


def test_expectations_name_only_people_of_the_day() -> None:
    named = {*day.ENDS, *day.ARRIVED, *day.ASKED_TWICE, *day.LEADS}
    assert named == set(day.PEOPLE)
    assert len({person.last for person in day.PEOPLE}) == len(day.PEOPLE)


def test_the_bundled_recipe_is_used_as_it_is_but_for_the_addresses(tmp_path) -> None:
    portal = {"webhook_url": "http://127.0.0.1:1/rest/1/x/", "application_token": "token"}
    sender = {"counterparty": "a", "contact": "b", "address": "c"}
    carrier = {"api_key": "key", "api_url": "http://127.0.0.1:2/v2.0/json/", "sender": sender}
    settings = COMPANY.settings({"crm": portal, "nova": carrier}, "http://127.0.0.1:3")
    write_config(tmp_path, "beauty", settings)
    text = (tmp_path / "hub.yaml").read_text()
    added = [line for line in text.splitlines() if "NP_API_URL" in line or "per_second" in line or "parallel" in line]
    from hub import recipes

    original = recipes.files("beauty")["hub.yaml"].splitlines()
    assert [line for line in text.splitlines() if line not in added] == original
    assert set(settings.secrets) == {"site", "questions"}
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
