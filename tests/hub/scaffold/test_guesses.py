"""What `hub plugins new` reads out of samples, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.events import KNOWN_EVENTS
from hub.scaffold import guesses, samples

ROOT = Path(__file__).parents[3]


def guess_of(folder: Path, *messages: Any) -> guesses.Guess:
    for number, message in enumerate(messages):
        (folder / f"{number}.webhook.json").write_text(json.dumps(message))
    chosen, left = samples.choose(folder)
    assert left == {}
    return guesses.guess(chosen)


MOVED = {
    "event_id": 901,
    "event": "parcel.moved",
    "parcel": {"number": "LK-1", "status": 30},
    "client": {"phone": "067 123-45-67", "email": "olena@example.com", "full_name": "Олена Коваль"},
    "at": 1772612430,
}


def test_all_of_it(tmp_path: Path) -> None:
    found = guess_of(tmp_path, MOVED, {**MOVED, "event_id": 902, "event": "parcel.weighed"})
    assert found.event_field == "event"
    assert found.events == {"parcel.moved": "parcel.status_changed", "parcel.weighed": "vendor.parcel_weighed"}
    assert found.key == "event_id"
    assert found.subjects == ["parcel.number"]
    assert found.fields == {
        "contact.phone": "client.phone", "contact.email": "client.email", "contact.name": "client.full_name",
    }  # fmt: skip
    assert (found.status, found.statuses, found.time) == ("parcel.status", ["30"], "at")


def test_a_records_id_is_never_taken_for_the_messages(tmp_path: Path) -> None:
    found = guess_of(tmp_path, {"event": "deal.updated", "id": "55", "stage": "A"})
    assert found.key == "", "the next change of deal 55 would be taken for a repetition"
    assert found.subjects == ["id"]


def test_an_envelopes_id_is_the_messages(tmp_path: Path) -> None:
    bodies = [{"id": f"evt_{n}", "type": "invoice.paid", "data": {"id": "in_1", "status": "paid"}} for n in (1, 2)]
    found = guess_of(tmp_path, *bodies)
    assert (found.key, found.subjects) == ("id", ["data.id"])


def test_a_key_that_two_messages_share_is_none(tmp_path: Path) -> None:
    found = guess_of(tmp_path, {"event": "a.b", "request_id": "1", "x": 1}, {"event": "a.b", "request_id": "1", "x": 2})
    assert found.key == ""


def test_the_outermost_name_tells_the_kind(tmp_path: Path) -> None:
    found = guess_of(
        tmp_path, {"leads": {"add": [{"id": "1"}]}, "account": {"id": "9"}},
        {"leads": {"delete": [{"id": "1"}]}, "account": {"id": "9"}}, {"tasks": {"add": [{"id": "4"}]}},
    )  # fmt: skip
    assert found.event_keys == ["leads", "tasks"]
    assert found.events["leads.delete"] == "lead.deleted"
    assert not any("account" in path for path in found.subjects)


@pytest.mark.parametrize(
    ("native", "event"),
    [
        ("ONCRMDEALADD", "deal.created"), ("order/create", "order.created"), ("call.ended", "call.finished"),
        ("MessageNew", "message.received"), ("email_bounce", "email.bounced"),
        ("shipment status", "parcel.status_changed"), ("heartbeat", ""), ("ONCRMDEALMOVETOCATEGORY", ""),
    ],
)  # fmt: skip
def test_words_that_mean_an_event(native: str, event: str) -> None:
    assert guesses.neutral(native) == event
    assert not event or event in KNOWN_EVENTS


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1772612430, 1772612430), ("1772612430000", 1772612430), ("2026-03-04T10:20:30+02:00", 1772612430),
        ("2026-03-04T10:20:30", None), ("12", None), ("4.3.2026", None), ({}, None),
    ],
)  # fmt: skip
def test_instants(value: Any, seconds: int | None) -> None:
    found = guesses.instant(value)
    assert (found.timestamp() if found else None) == seconds


# --- which files are messages ------------------------------------------------------------------------


def test_answers_and_requests_of_the_api_are_no_messages(tmp_path: Path) -> None:
    for name in ("lead.json", "lead.response.json", "lead.request.json", "dead.error.txt", "SOURCES.md"):
        (tmp_path / name).write_text('{"a": 1}')
    (tmp_path / "raw.http").write_text('POST /x HTTP/1.1\nX-Hub-Signature-256: sha256=00\n\n{"b": 1}')
    chosen, left = samples.choose(tmp_path)
    assert [one.name for one in chosen] == ["lead.json", "raw.http"]
    assert sorted(left) == ["dead.error.txt", "lead.request.json", "lead.response.json"]
    assert guesses.guess(chosen).signatures == ["x-hub-signature-256"]


def test_files_named_webhook_are_the_messages(tmp_path: Path) -> None:
    for name in ("lead.webhook.json", "account.json"):
        (tmp_path / name).write_text('{"a": 1}')
    chosen, left = samples.choose(tmp_path)
    assert [one.name for one in chosen] == ["lead.webhook.json"]
    assert list(left) == ["account.json"]


@pytest.mark.parametrize("body", ["", "[]", "5", '{"a": 1, "a": 2}', '["text"]', "{}"])
def test_what_is_no_object_is_left_out_with_its_reason(tmp_path: Path, body: str) -> None:
    (tmp_path / "odd.webhook.json").write_text(body)
    chosen, left = samples.choose(tmp_path)
    assert chosen == []
    assert left["odd.webhook.json"].startswith("can't be read: ")


def test_credentials_in_samples_are_pointed_at() -> None:
    chosen, _ = samples.choose(ROOT / "tests" / "plugins" / "bitrix24" / "samples")
    assert "auth.access_token" in samples.delicate(chosen)
