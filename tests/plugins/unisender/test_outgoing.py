"""Classic: what routes write, as the vendor gets it; what can't go out as it is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from hub import phpform
from hub.errors import Refused, Uncertain
from plugins.unisender import outgoing, values
from plugins.unisender.client import pairs
from tests.plugins.unisender.conftest import SAMPLES, read

SETTINGS = {
    "lists": {"guests": "134", "invited": "135"},
    "from_email": "club@dogclub.example",
    "from_name": "Dog club",
    "sms_sender": "DogClub",
}
WORDS = {"city": "City"}


def sample(name: str) -> dict[str, Any]:
    """Return the parameters of a recorded request."""
    body = (Path(SAMPLES) / "classic" / name).read_text("utf-8").split("\n\n", 1)[1].strip()
    return phpform.decode(parse_qsl(body, keep_blank_values=True))


def sent(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as the vendor reads them, in the shape of `sample`."""
    return phpform.decode([("format", "json"), ("api_key", "FAKE_KEY"), *((k, str(v)) for k, v in pairs(params))])


def subscribe(**given: Any) -> dict[str, Any]:
    whole = {"list_ids": "guests", "double_optin": "3", "email": "test@example.org", **given}
    return outgoing.subscribe(whole, SETTINGS, WORDS, "RU")


# --- subscribe ----------------------------------------------------------------------------------------


def test_subscribe_as_documented() -> None:
    given = {
        "list_ids": "guests, 135",
        "fields": {"email": "test@example.org", "Name": "Test"},
        "tags": ["MyTag1", "MyTag2"],
        "double_optin": 3,
        "overwrite": 2,
    }
    assert sent(outgoing.subscribe(given, SETTINGS, WORDS, "RU")) == sample("classic.subscribe.request.txt")


def test_other_lists_and_fields_stay_unless_said_otherwise() -> None:
    assert subscribe()["overwrite"] == "2"
    assert subscribe(overwrite="0")["overwrite"] == "0"
    with pytest.raises(Refused, match="out of all other lists") as caught:
        subscribe(overwrite="1")
    assert "drop_other_lists" in str(caught.value)
    assert subscribe(overwrite="1", drop_other_lists="yes")["overwrite"] == "1"
    with pytest.raises(Refused, match="out of all other lists"):
        subscribe(overwrite="1", drop_other_lists="no")
    with pytest.raises(Refused, match="none of 0, 1, 2"):
        subscribe(overwrite="3")


@pytest.mark.parametrize("consent", ["", None, "1", "2", "yes", "5", True])
def test_consent_is_said_in_so_many_words(consent: Any) -> None:
    with pytest.raises(Refused, match="says nothing about consent") as caught:
        subscribe(double_optin=consent)
    assert "confirmation letter" in str(caught.value)


@pytest.mark.parametrize("consent", ["0", "3", "4", 0, 3])
def test_consent_goes_out_as_it_is(consent: Any) -> None:
    assert subscribe(double_optin=consent)["double_optin"] == str(consent)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"list_ids": ""}, "list_ids is empty"),
        ({"list_ids": "guest"}, r"no list 'guest'.*guests, invited"),
        ({"email": "nobody"}, "no e-mail address"),
        ({"email": ""}, "neither e-mail nor phone"),
        ({"email": "", "phone": "12"}, "no phone number"),
        ({"fields": "Name"}, "names with values"),
        ({"fields": {"a[b]": "x"}}, "can't be a field"),
    ],
)
def test_what_is_wrong_is_told_before_anybody_is_asked(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        subscribe(**given)
    assert caught.value.fields


def test_our_words_for_fields_phones_as_e164_and_evidence_of_consent() -> None:
    params = subscribe(
        fields={"city": "Kazan", "phone": "8 916 123-45-67", "Adult": True, "Empty": None}, request_ip="192.0.2.1"
    )
    assert params["fields"] == {"City": "Kazan", "phone": "+79161234567", "Adult": "1", "email": "test@example.org"}
    assert params["request_ip"] == "192.0.2.1"
    assert params["tags"] is None


# --- leaving ------------------------------------------------------------------------------------------


def test_leaving() -> None:
    params = outgoing.leave({"email": "A@Example.org", "list_ids": ["guests", "135", "guests"]}, SETTINGS, "RU")
    assert params == {"contact_type": "email", "contact": "a@example.org", "list_ids": "134,135"}
    assert outgoing.leave({"phone": "89161234567"}, SETTINGS, "RU") == {
        "contact_type": "phone",
        "contact": "+79161234567",
        "list_ids": None,
    }
    with pytest.raises(Refused, match="which contact"):
        outgoing.leave({}, SETTINGS, "RU")


# --- import -------------------------------------------------------------------------------------------


def rows(**given: Any) -> list[dict[str, str]]:
    return outgoing.import_rows(given, SETTINGS, WORDS, "RU")


def test_import_as_documented() -> None:
    people = [
        {"email": "test@example.org", "Name": "Test", "email_list_ids": "134"},
        {"email": "test2@example.org", "Name": "Test2", "email_list_ids": "134,135"},
    ]
    [(places, params)] = outgoing.import_calls(rows(rows=people), {})
    assert places == [0, 1]
    expected = sample("classic.importContacts.request.txt")
    got = sent(params)
    order = [got["field_names"].index(name) for name in expected["field_names"]]
    assert [[row[place] for place in order] for row in got["data"]] == expected["data"]
    assert (got["overwrite_tags"], got["overwrite_lists"]) == ("0", "0")


def test_import_in_batches_of_500() -> None:
    people = rows(rows=[{"email": f"a{n}@example.org"} for n in range(1201)], list_ids="guests", tags="new")
    calls = list(outgoing.import_calls(people, {}))
    assert [len(params["data"]) for _, params in calls] == [500, 500, 201]
    assert [place for places, _ in calls for place in places] == list(range(1201))
    assert {tuple(params["field_names"]) for _, params in calls} == {("email", "email_list_ids", "tags")}


def test_rows_with_other_columns_go_apart() -> None:
    """An empty cell could be taken for an empty value."""
    people = rows(rows=[{"email": "a@example.org", "City": "X"}, {"email": "b@example.org"}, {"phone": "89161234567"}])
    calls = list(outgoing.import_calls(people, {}))
    assert [(places, params["field_names"]) for places, params in calls] == [
        ([0], ["City", "email"]), ([1], ["email"]), ([2], ["phone"])
    ]  # fmt: skip


def test_one_contact_without_rows() -> None:
    assert rows(email="a@example.org", fields={"city": "Kazan"}, list_ids="guests") == [
        {"City": "Kazan", "email": "a@example.org", "email_list_ids": "134"}
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rows": [{"email": "a@example.org", "email_status": "active"}]}, "what a reader has decided"),
        ({"rows": [{"phone": "89161234567", "phone_status": "active"}]}, "what a reader has decided"),
        ({"rows": [{"email": "a@example.org"}, {"Name": "x"}]}, "number 2 has neither"),
        ({"rows": ["a@example.org"]}, "number 1 is no contact"),
        ({"rows": [{"email": "nobody"}]}, "no e-mail address"),
        ({"rows": [{"email": "a@b.ru", **{f"f{n}": "x" for n in range(51)}}]}, "50 fields"),
    ],
)
def test_imports_that_can_not_go_out(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        rows(**given)


def test_an_import_does_not_drop_lists_by_accident() -> None:
    people = rows(rows=[{"email": "a@example.org"}])
    with pytest.raises(Refused, match="out of all other lists"):
        list(outgoing.import_calls(people, {"overwrite_lists": "1"}))
    [(_, params)] = outgoing.import_calls(people, {"overwrite_lists": "1", "drop_other_lists": "yes"})
    assert params["overwrite_lists"] == "1"


# --- a contact as it comes ----------------------------------------------------------------------------


def test_both_shapes_of_a_contact() -> None:
    beside = read("classic.getContact.response.json")["result"]
    inside = {"email": {**beside["email"], "lists": beside["lists"], "fields": beside["fields"]}}
    for shape in (beside, inside):
        record = outgoing.contact_record("x@example.org", shape)
        assert (record["id"], record["name"], record["status"]) == ("test@example.org", "Test", "active")
        assert (record["lists"], record["extra"]) == (["134"], {"Name": "Test"})
    assert outgoing.contact_record("x@example.org", {"email": [], "fields": [], "lists": []})["id"] == "x@example.org"


# --- letters ------------------------------------------------------------------------------------------


def letter(**given: Any) -> dict[str, Any]:
    whole = {"email": "test@example.org", "subject": "Hi", "body": "<b>Hi</b>", "list_id": "guests", **given}
    return outgoing.send_email(whole, SETTINGS, "hub-1-abc")


def test_a_letter_as_documented() -> None:
    given = {"sender_name": "Shop", "sender_email": "shop@example.com", "lang": "en", "ref_key": "1000001"}
    assert sent(letter(**given, metadata={"order_id": "42"})) == sample("classic.sendEmail.request.txt")


def test_a_letter_has_our_sender_and_a_key_against_a_second_one() -> None:
    params = letter()
    assert (params["sender_email"], params["sender_name"]) == ("club@dogclub.example", "Dog club")
    assert params["ref_key"] == "hub-1-abc"
    assert params["error_checking"] == "1"


def test_attachments() -> None:
    params = letter(attachments={"a.txt": "привет", "b.bin": {"base64": "AP8="}})
    assert params["attachments"] == {"a.txt": "привет".encode(), "b.bin": b"\x00\xff"}
    for wrong in ("text", {"b.bin": {"base64": "?"}}):
        with pytest.raises(Refused, match="attachments"):
            letter(attachments=wrong)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"subject": ""}, "subject is empty"),
        ({"body": ""}, "body is empty"),
        ({"body": "x" * (1024 * 1024 + 1)}, "1 MB"),
        ({"list_id": ""}, "must be one list"),
        ({"list_id": "guests,invited"}, "must be one list"),
        ({"email": "a@b, c@d"}, "no e-mail"),
        ({"sender_email": "nobody"}, "sender_email"),
    ],
)
def test_letters_that_can_not_go_out(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        letter(**given)


def test_who_writes() -> None:
    with pytest.raises(Refused, match="who writes"):
        outgoing.sender({}, {"from_email": "", "from_name": ""}, "email.send")


def test_both_shapes_of_the_answer() -> None:
    single = read("classic.sendEmail.single.response.json")["result"]
    assert outgoing.sent(single, "a@example.org")["id"] == "10000000001"
    [fine, refused] = read("classic.sendEmail.array.response.json")["result"]
    assert outgoing.sent([fine], "a@example.org")["id"] == "10000000002"
    with pytest.raises(Refused, match="PLACEHOLDER"):
        outgoing.sent([refused], "bad")
    with pytest.raises(Refused, match="gone spam_trap"):
        outgoing.sent([{"email": "b", "errors": [{"code": "spam_trap", "message": "gone"}]}], "b")
    for nothing in ([], {}, None, "", [5], {"email_id": None}):
        with pytest.raises(Uncertain):
            outgoing.sent(nothing, "a@example.org")


def test_checkemail() -> None:
    found = outgoing.statuses(read("classic.checkEmail.response.json")["result"])
    assert found == {"10000000001": "ok_delivered", "10000000002": "err_user_unknown"}


def test_campaigns() -> None:
    now = outgoing.create_campaign({"message_id": 5, "track_read": "yes", "contacts": ["a@b.ru", "c@d.ru"]})
    assert now == {"message_id": "5", "start_time": None, "contacts": "a@b.ru,c@d.ru", "track_read": "1"}
    later = outgoing.create_campaign({"message_id": 5, "start_time": "2026-03-04T12:00:00+03:00"})
    assert (later["start_time"], later["timezone"]) == ("2026-03-04 09:00", "UTC")
    plain = outgoing.create_campaign({"message_id": 5, "start_time": "2026-03-04 12:00", "timezone": "Europe/Moscow"})
    assert (plain["start_time"], plain["timezone"]) == ("2026-03-04 12:00", "Europe/Moscow")
    with pytest.raises(Refused, match="message_id is empty"):
        outgoing.create_campaign({})
    row = outgoing.campaign_row(read("classic.createCampaign.response.json")["result"])
    assert (row["id"], row["status"], row["count"]) == ("3000001", "scheduled", "1")
    assert "goes out" in row["status_text"]


def test_a_letter_for_campaigns() -> None:
    whole = {"list_id": "guests", "subject": "News", "body": "<p>x</p>"}
    assert outgoing.create_letter(whole, SETTINGS)["list_id"] == "134"
    assert outgoing.create_letter({"list_id": "guests", "template_id": "7"}, SETTINGS)["template_id"] == "7"
    with pytest.raises(Refused, match="subject is empty"):
        outgoing.create_letter({"list_id": "guests"}, SETTINGS)


# --- short messages -----------------------------------------------------------------------------------


def test_sms() -> None:
    params = outgoing.send_sms({"phone": ["8 916 123-45-67", "+79161234567"], "text": "Hi"}, SETTINGS, "RU")
    assert params == {"phone": "+79161234567", "sender": "DogClub", "text": "Hi"}
    for given, words in (
        ({"phone": "", "text": "x"}, "phone is empty"),
        ({"phone": "89161234567", "text": ""}, "text is empty"),
        ({"phone": "12345", "text": "x"}, "no phone"),
        ({"phone": [f"+7916{n:07}" for n in range(151)], "text": "x"}, "150 numbers"),
    ):
        with pytest.raises(Refused, match=words):
            outgoing.send_sms(given, SETTINGS, "RU")
    with pytest.raises(Refused, match="who writes"):
        outgoing.send_sms({"phone": "89161234567", "text": "x"}, {**SETTINGS, "sms_sender": ""}, "RU")


def test_answers_of_sms() -> None:
    one, none = outgoing.sms_sent(read("classic.sendSms.response.json")["result"], ["+79161234567"])
    assert (one[0]["id"], one[0]["phone"], one[0]["price"], none) == ("1000000001", "+79161234567", "2.5", {})
    several, refused = outgoing.sms_sent([{"phone": "1", "sms_id": 5}, {"phone": "2", "error": "no such number"}], [])
    assert ([row["id"] for row in several], refused) == (["5"], {"2": "no such number"})
    with pytest.raises(Uncertain):
        outgoing.sms_sent([], ["1"])


# --- small things -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-03-04T12:00:00+03:00", "2026-03-04 09:00:00"),
        ("2026-03-04 12:00:00", "2026-03-04 12:00:00"),
        ("soon", "soon"),
        (None, ""),
    ],
)
def test_moments(given: Any, expected: str) -> None:
    assert values.moment(given) == expected


def test_texts() -> None:
    assert [values.text(one) for one in (None, True, False, 5, " a ", ["a", 1])] == ["", "1", "0", "5", "a", "a,1"]
    assert [values.flag(one) for one in ("yes", "1", True, "no", "", None, "0")] == [True, True, True] + [False] * 4
