"""Go: the message of email/send, and what becomes of addresses that are refused at once."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hub.errors import Refused, Uncertain
from hub.testing.wellformed import problems
from plugins.unisender import codes, message
from plugins.unisender.connector import Go
from tests.plugins.unisender.conftest import read

SETTINGS = {"from_email": "club@dogclub.example", "from_name": "Dog club"}


def made(**given: Any) -> dict[str, Any]:
    whole = {"email": "a@example.com", "subject": "Hi", "html": "<b>Hi</b>", **given}
    return message.message(whole, SETTINGS, "hub-1-abc")["message"]


def test_a_message_as_documented() -> None:
    given = {
        "email": "a@example.com",
        "substitutions": {"to_name": "Test"},
        "metadata": {"order_id": "42"},
        "template_engine": "simple",
        "global_language": "ru",
        "html": "<b>Hi {{to_name}}</b>",
        "text": "Hi {{to_name}}",
        "subject": "Hi",
        "from_email": "shop@example.com",
        "from_name": "Shop",
        "track_links": "yes",
        "track_read": 1,
        "headers": {"X-Order": "42"},
        "send_at": "2026-01-01T13:00:00+03:00",
    }
    body = message.message(given, SETTINGS, "")
    assert body == read("go.email-send.request.json")


def test_our_sender_and_our_mark() -> None:
    body = made()
    assert (body["from_email"], body["from_name"]) == ("club@dogclub.example", "Dog club")
    assert body["global_metadata"] == {"hub": "hub-1-abc"}
    assert made(global_metadata={"shop": 5})["global_metadata"] == {"shop": "5", "hub": "hub-1-abc"}


def test_a_template_needs_neither_subject_nor_body_nor_sender() -> None:
    whole = {"email": "a@example.com", "template_id": "t-1", "substitutions": {"breed": "Corgi"}}
    body = message.message(whole, {"from_email": "", "from_name": ""}, "")["message"]
    assert body == {
        "recipients": [{"email": "a@example.com", "substitutions": {"breed": "Corgi"}}],
        "template_id": "t-1",
    }


def test_a_name_is_cut_at_78_letters() -> None:
    assert made(name="я" * 100)["recipients"][0]["substitutions"]["to_name"] == "я" * 78


def test_several_readers() -> None:
    people = [
        {"email": "A@Example.com", "substitutions": {"code": "1"}, "metadata": {"deal": 5}},
        {"email": "b@example.com", "name": "B"},
        {"email": "a@example.com"},
    ]
    body = made(email=None, recipients=people, substitutions={"shop": "X"}, metadata={"all": "1"})
    assert body["recipients"] == [
        {"email": "a@example.com", "substitutions": {"shop": "X", "code": "1"}, "metadata": {"all": "1", "deal": "5"}},
        {"email": "b@example.com", "substitutions": {"shop": "X", "to_name": "B"}, "metadata": {"all": "1"}},
    ]
    assert [one["email"] for one in made(email="a@example.com, b@example.com")["recipients"]] == [
        "a@example.com",
        "b@example.com",
    ]


def test_attachments() -> None:
    [one] = made(attachments={"a.txt": "text"})["attachments"]
    assert (one["name"], base64.b64decode(one["content"])) == ("a.txt", b"text")
    own = [{"type": "text/plain", "name": "b.txt", "content": "eA=="}]
    assert made(attachments=own)["attachments"] == own


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"email": ""}, "email is empty"),
        ({"email": "nobody"}, "no e-mail"),
        ({"html": ""}, "nothing to send"),
        ({"subject": ""}, "subject is empty"),
        ({"recipients": "a@example.com"}, "a list of"),
        ({"recipients": [{"email": f"a{n}@example.com"} for n in range(501)]}, "500 at once"),
        ({"substitutions": "x"}, "names with values"),
        ({"template_engine": "jinja"}, "none of simple"),
        ({"global_language": "xx"}, "none of be"),
        ({"attachments": {"a": "x" * 7_400_000}}, "7 MB"),
        ({"attachments": {"a/b": "x"}}, "no slash"),
        ({"tags": "a,b,c,d,e"}, "4 at most"),
        ({"html": "x" * (10 * 1024 * 1024)}, "10 MB"),
    ],
)
def test_messages_that_can_not_go_out(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        made(**given)


def test_who_writes() -> None:
    with pytest.raises(Refused, match="who writes"):
        message.message({"email": "a@b.ru", "subject": "x", "html": "y"}, {"from_email": "", "from_name": ""}, "")


# --- what came of it ----------------------------------------------------------------------------------


def test_all_taken() -> None:
    result, events = message.sent(read("go.email-send.response.json"), "m")
    assert (result["id"], result["emails"], result["status"], events) == (
        "1rctPx-00021H-CcC4", ["to@example.com"], "accepted", []
    )  # fmt: skip


def test_refused_addresses_become_events(go: Go) -> None:
    """One stands in both lists: it is a duplicate, and gets its letter."""
    result, events = message.sent(read("go.email-send.failed_emails.response.json"), "m")
    assert result["status"] == "partly refused"
    assert {event.record["email"]["address"]: event.type for event in events} == {
        "email1@example.net": "vendor.transactional_email_status",
        "bad@address": "vendor.transactional_email_status",
        "root@example.org": "email.bounced",
        "olduser@example.net": "email.unsubscribed",
    }
    assert {event.subject for event in events} == {"email:1ZymBc-00041N-9X"}
    assert all(event.record["email"]["metadata"] == {"hub": "m"} for event in events)
    assert problems(go, events) == []


@pytest.mark.parametrize("reason", [*codes.FAILED, "a_reason_of_tomorrow"])
def test_all_refused_is_told(go: Go, reason: str) -> None:
    answer = {"status": "success", "job_id": "1-2", "emails": [], "failed_emails": {"A@Example.com": reason}}
    result, [event] = message.sent(answer, "m")
    assert result["status"] == "refused"
    assert event.record["contact"]["email"] == "a@example.com"
    assert event.text.startswith("not sent: ")
    assert problems(go, [event]) == []


@pytest.mark.parametrize("nothing", [[], None, {}])
def test_an_empty_object_of_phps_is_a_list(nothing: Any) -> None:
    result, events = message.sent({"job_id": "1-2", "emails": ["a@b.ru"], "failed_emails": nothing}, "")
    assert (result["status"], events) == ("accepted", [])


@pytest.mark.parametrize("answer", [{}, {"job_id": ""}, {"job_id": None}, [], {"job_id": "1", "emails": "x"}])
def test_an_answer_that_says_nothing_leaves_a_doubt(answer: Any) -> None:
    with pytest.raises(Uncertain):
        message.sent(answer, "")
