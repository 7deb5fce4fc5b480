"""The day's script: its people, its payloads, its order, its configuration."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest

from hub import normal, recipes
from hub.demo.letters import Letter, Person
from hub.demo.place import DemoFailed, write_config
from hub.demo.quest_rooms import COMPANY, cast, day
from hub.errors import Rejected
from hub.model import Receipt, Request
from hub.testing import build
from plugins.amocrm.sandbox import AmoCrmSandbox
from plugins.calltouch.sandbox import CalltouchSandbox
from plugins.form.connector import FormConnector
from plugins.instagram.connector import Instagram
from plugins.instagram.sandbox import InstagramSandbox
from plugins.unisender.connector import Classic
from plugins.unisender.sandbox import UnisenderSandbox


def request(letter: Letter, tail: str = "") -> Request:
    headers = {"content-type": letter.content_type, **{name.lower(): value for name, value in letter.headers}}
    return Request(letter.method, f"/in/{letter.door}/{tail}", letter.query, headers, letter.body, tail=tail)


def read(letter: Letter) -> dict:
    """Return the record the form plugin finds in a letter."""
    connector = build(FormConnector, {"secret": "s" * 16}, region="RU")
    got = request(letter, "secret")
    [event] = connector.parse(Receipt(1, "site", "key", got, got.at))
    return event.record


@pytest.mark.parametrize("person", day.GUESTS, ids=lambda person: person.name)
def test_every_spelling_is_the_same_phone(person: Person) -> None:
    spellings = {person.spelling(n) for n in range(6)}
    assert len(spellings) == 6
    assert {normal.phone(one, "RU") for one in spellings} == {person.phone}


def test_a_booking_carries_quest_campaign_and_session() -> None:
    record = read(cast.page(day.VERA, 0, "Замок", "В субботу", ("vk", "may"), "400000777"))
    assert (record["form"]["quest"], record["form"]["comment"]) == ("Замок", "В субботу")
    assert record["source"]["utm_source"] == "vk"
    assert record["source"]["utm_campaign"] == "may"
    assert record["source"]["session_id"] == "400000777"
    assert (record["contact"]["phone"], record["contact"]["email"]) == (day.VERA.phone, day.VERA.email)


def test_an_elementor_form_carries_the_campaign_of_its_page() -> None:
    record = read(cast.elementor(day.GLEB, 0, "Подарок"))
    assert (record["contact"]["phone"], record["contact"]["name"]) == (day.GLEB.phone, day.GLEB.name)
    assert (record["source"]["utm_source"], record["source"]["utm_campaign"]) == ("yandex", "gift")


def test_a_signature_of_instagram_fits_its_own_secret_alone() -> None:
    connector = build(Instagram, {"app_secret": "ours", "verify_token": "word-of-ours", "access_token": "t"})
    connector.verify(request(cast.edited(day.EGOR, "ours")))
    with pytest.raises(Rejected):
        connector.verify(request(cast.edited(day.EGOR, "theirs")))
    letter = cast.edited(day.EGOR, "ours")
    signature = dict(letter.headers)["X-Hub-Signature-256"]
    assert signature == "sha256=" + hmac.digest(b"ours", letter.body, hashlib.sha256).hex()


def test_a_repeated_bounce_differs_and_is_the_same() -> None:
    key = UnisenderSandbox().credentials()["api_key"]
    connector = build(Classic, {"product": "classic", "api_key": key})
    event = {"event_name": "email_status", "event_time": "2026-03-04 10:05:00",
             "event_data": {"email": day.GLEB.email, "status": "err_user_unknown", "email_id": 1}}  # fmt: skip
    first, again = (
        request(Letter("letters", "", cast.unisender(event, retry), "application/json")) for retry in (0, 2)
    )
    for one in (first, again):
        connector.verify(one)
    assert first.body != again.body
    assert connector.receipt_key(first) == connector.receipt_key(again)
    with pytest.raises(Rejected):
        connector.verify(request(cast.FORGED_BOUNCE))


def test_the_day_goes_forward_and_says_what_happens() -> None:
    times = [moment.at for moment in day.DAY]
    assert times == sorted(times)
    assert len({moment.words for moment in day.DAY}) == len(day.DAY)


def test_expectations_name_only_people_of_the_day() -> None:
    assert set(day.ENDS) == set(day.PEOPLE)
    named = {*day.SOURCES, *day.ASKED_AGAIN, *day.LETTERS, *day.MARKS, *day.BY_CALL, *day.BY_REQUEST,
             *day.IN_THE_OUTAGE, *day.RESPONSIBLE, *day.ANSWERS, *day.WROTE}  # fmt: skip
    assert named <= set(day.PEOPLE)
    assert len({person.last for person in day.PEOPLE}) == len(day.PEOPLE)


def credentials() -> dict[str, dict]:
    stands = {
        "crm": AmoCrmSandbox(), "calls": CalltouchSandbox(), "insta": InstagramSandbox(), "letters": UnisenderSandbox()
    }  # fmt: skip
    found = {name: one.credentials() for name, one in stands.items()}
    stands["crm"].hooks.close()
    return found


def test_the_bundled_recipe_is_used_as_it_is_but_for_the_addresses(tmp_path) -> None:
    settings = COMPANY.settings(credentials(), "http://127.0.0.1:3")
    write_config(tmp_path, "quest_rooms", settings)
    text = (tmp_path / "hub.yaml").read_text()
    added = ("limits: {per", "CT_URL", "IG_URL", "UNI_URL", "    per_second: ")
    lines = [line for line in text.splitlines() if not any(word in line for word in added)]
    original = recipes.files("quest_rooms")["hub.yaml"].replace("https://hub.quests.example", "http://127.0.0.1:3")
    assert lines == original.splitlines()
    assert (tmp_path / "tables" / "quests.csv").read_text() == recipes.files("quest_rooms")["tables/quests.csv"]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert set(settings.secrets) == {"site", "crm", "calls", "letters"}


def test_a_recipe_without_what_is_replaced_is_told(tmp_path) -> None:
    settings = COMPANY.settings(credentials(), "http://127.0.0.1:3")
    with pytest.raises(DemoFailed, match="amocrm"):
        write_config(tmp_path, "dog_forms", settings)


def test_each_sample_says_where_it_comes_from() -> None:
    told = cast.SAMPLES.body("SOURCES.md").decode()
    names = [path.name for path in cast.SAMPLES.folder.iterdir() if path.name != "SOURCES.md"]
    assert [name for name in names if re.split(r"\.(?:webhook|json|txt)", name)[0] not in told] == []
