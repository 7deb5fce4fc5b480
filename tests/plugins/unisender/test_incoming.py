"""From a stored request to events: what is the same, what it means, what is kept of the unknown."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from hub.testing import build, request_from_file
from plugins.unisender import codes, signing
from plugins.unisender.connector import Classic, Go
from plugins.unisender.watching import receipt
from tests.plugins.unisender.conftest import CLASSIC, CLASSIC_KEY, GO_KEY, SAMPLES
from tests.plugins.unisender.test_contract import retried, signed

AT = dt.datetime(2026, 3, 4, 10, 20, 30, tzinfo=dt.UTC)


def request(name: str) -> Request:
    return request_from_file(SAMPLES / name.partition(".")[0].replace("made", "classic") / name, "letters", at=AT)


def made(body: dict[str, Any], key: str = CLASSIC_KEY) -> Request:
    text = json.dumps({"auth": "0" * 32, **body}, separators=(",", ":")).replace("/", "\\/").encode()
    return Request("POST", "/in/letters", headers={}, body=signed(text, key), at=AT)


def events(connector: Any, given: Request) -> list[Event]:
    return connector.parse(Receipt(1, "letters", "k", given, given.at))


def grouped(*told: tuple[str, dict[str, Any]], time: str = "2026-03-04 09:00:00") -> dict[str, Any]:
    listed = [{"event_name": name, "event_time": time, "event_data": data} for name, data in told]
    return {"events_by_user": [{"login": "example-login", "events": listed}]}


# --- what is the same -------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 144])
def test_a_retry_is_the_message_it_repeats(classic: Classic, count: int) -> None:
    first = request("classic.email_status.webhook.json")
    again = retried(first, CLASSIC_KEY, count)
    classic.verify(again)
    assert again.body != first.body
    assert json.loads(again.body)["auth"] != json.loads(first.body)["auth"]
    assert classic.receipt_key(again) == classic.receipt_key(first)
    assert events(classic, again) == events(classic, first)


def test_a_retry_may_be_grouped_otherwise(classic: Classic) -> None:
    """Two messages that come again as one bring no event that wasn't there."""
    one = ("email_status", {"email": "a@example.com", "status": "ok_read", "email_id": 1})
    two = ("email_status", {"email": "b@example.com", "status": "ok_read", "email_id": 2})
    apart = [event.key for told in (one, two) for event in events(classic, made(grouped(told)))]
    together = [event.key for event in events(classic, made({**grouped(two, one), "retry_count": 1}))]
    assert sorted(apart) == sorted(together)


def test_the_flat_form_is_the_grouped_one(classic: Classic) -> None:
    data = {"email": "a@example.com", "status": "ok_read", "email_id": 1}
    flat = {"event_name": "email_status", "event_time": "2026-03-04 09:00:00", "login": "example-login", **data}
    assert events(classic, made(flat)) == events(classic, made(grouped(("email_status", data))))


def test_the_flat_form_of_go_is_the_grouped_one(go: Go) -> None:
    data = {"job_id": "1-2", "email": "a@example.com", "status": "opened", "event_time": "2026-03-04 09:00:00"}
    event = {"event_name": "transactional_email_status", "event_data": data}
    whole = {"events_by_user": [{"user_id": 1, "project_id": "9", "project_name": "x", "events": [event]}]}
    flat = {"event_name": "transactional_email_status", "user_id": 1, "project_id": 9, "project_name": "x", **data}
    assert events(go, made(flat, GO_KEY)) == events(go, made(whole, GO_KEY))


def test_what_differs_has_another_key(classic: Classic) -> None:
    base = {"email": "a@example.com", "status": "ok_link_visited", "email_id": 1, "url": "https://a.example/1"}
    others = [{"email": "b@example.com"}, {"status": "ok_read"}, {"email_id": 2}, {"url": "https://a.example/2"}]
    keys = {
        event.key
        for change in ({}, *others)
        for event in events(classic, made(grouped(("email_status", base | change))))
    }
    later = events(classic, made(grouped(("email_status", base), time="2026-03-04 09:00:01")))
    assert len(keys | {later[0].key}) == len(others) + 2


def test_two_webhooks_that_tell_it_with_other_details_tell_one_event(go: Go) -> None:
    data = {"job_id": "1-2", "email": "a@example.com", "status": "opened", "event_time": "2026-03-04 09:00:00"}
    more = {"delivery_info": {"ip": "192.0.2.1"}, "metadata": {"deal": "5"}}
    told = [made({"event_name": "transactional_email_status", **data, **extra}, GO_KEY) for extra in ({}, more)]
    assert len({event.key for one in told for event in events(go, one)}) == 1


def test_the_same_event_twice_in_a_body_is_one(classic: Classic) -> None:
    told = ("email_status", {"email": "a@example.com", "status": "ok_read", "email_id": 1})
    assert len(events(classic, made(grouped(told, told)))) == 1


def test_several_accounts_in_one_body(classic: Classic) -> None:
    """A reseller's body holds several users; an equal event of another account is another event."""
    told = grouped(("subscribe", {"email": "a@example.com", "list_ids": "1"}))
    other = {**told["events_by_user"][0], "login": "second"}
    found = events(classic, made({"events_by_user": [*told["events_by_user"], other]}))
    assert [event.type for event in found] == ["subscription.changed"] * 2
    assert found[0].key != found[1].key


# --- the signature ----------------------------------------------------------------------------------


def test_the_body_is_signed_as_it_came(classic: Classic) -> None:
    """Written again by another JSON library the slashes differ, and the signature no longer fits."""
    told = made(grouped(("email_status", {"email": "a@example.com", "status": "ok_read", "url": "https://a.example/"})))
    classic.verify(told)
    again = replace(told, body=json.dumps(json.loads(told.body), separators=(",", ":")).encode())
    with pytest.raises(Rejected, match="doesn't fit"):
        classic.verify(again)


@pytest.mark.parametrize("auth", [None, 5, "", "ABCDEF" * 6, "g" * 32, "0" * 31, ["0" * 32], "0" * 32 + "\n"])
def test_an_auth_that_is_none(classic: Classic, auth: Any) -> None:
    with pytest.raises(Rejected, match="no signature"):
        classic.verify(replace(made({}), body=json.dumps({"auth": auth, "event_name": "x"}).encode()))


def test_the_auth_of_a_nested_object_does_not_count(classic: Classic) -> None:
    inner = signing.signature(b'{"event_name":"x","in":{"auth":"' + b"0" * 32 + b'"}}', "0" * 32, CLASSIC_KEY)
    body = b'{"event_name":"x","in":{"auth":"' + inner.encode() + b'"}}'
    with pytest.raises(Rejected, match="no signature"):
        classic.verify(Request("POST", "/in/letters", body=body))


def test_a_bomb_is_not_inflated(classic: Classic) -> None:
    import gzip

    packed = gzip.compress(b"[" * (signing.MAX_BODY * 3))
    with pytest.raises(Rejected) as caught:
        classic.verify(Request("POST", "/in/letters", body=packed))
    assert caught.value.status == 413
    with pytest.raises(Rejected, match="can't be inflated"):
        classic.verify(Request("POST", "/in/letters", body=b"\x1f\x8b nothing"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_address_answers_the_vendors_try(method: str, classic: Classic) -> None:
    assert classic.handshake(Request(method, "/in/letters")).status == 200
    closed = build(Classic, {**CLASSIC, "secret": "unguessable-end"})
    assert closed.handshake(Request(method, "/in/letters/unguessable-end", tail="unguessable-end")).status == 200
    with pytest.raises(Rejected):
        closed.handshake(Request(method, "/in/letters", tail="guessed"))


def test_an_old_key_and_a_projects_are_taken_too() -> None:
    connector = build(Classic, {**CLASSIC, "api_key": "the-new-key-of-today", "webhook_keys": [CLASSIC_KEY, GO_KEY]})
    for key in ("the-new-key-of-today", CLASSIC_KEY, GO_KEY):
        connector.verify(made(grouped(("email_status", {"status": "ok_read"})), key))
    with pytest.raises(Rejected):
        connector.verify(made(grouped(("email_status", {"status": "ok_read"})), "another-key"))


@pytest.mark.parametrize(
    ("status", "finer", "event", "reason"),
    [
        ("hard_bounced", "err_user_unknown", "email.bounced", "no such mailbox: 550 no"),
        ("hard_bounced", "err_spam_rejected", "email.bounced", "the receiving server took it for spam: 550 no"),
        ("hard_bounced", "err_of_tomorrow", "email.bounced", "the address takes no letters: 550 no"),
        ("soft_bounced", "err_mailbox_full", "vendor.transactional_email_status",
         "not delivered for now, further tries follow: the mailbox is full: 550 no"),
    ],
)  # fmt: skip
def test_go_says_why(go: Go, status: str, finer: str, event: str, reason: str) -> None:
    data = {
        "job_id": "1-2",
        "email": "a@example.com",
        "status": status,
        "event_time": "2026-03-04 09:00:00",
        "delivery_info": {"delivery_status": finer, "destination_response": "550 no"},
    }
    [told] = events(go, made({"event_name": "transactional_email_status", **data}, GO_KEY))
    assert (told.type, told.text, told.record["email"]["delivery_status"]) == (event, reason, finer)


# --- what it means ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(codes.CLASSIC))
def test_each_status_of_the_classic_product(classic: Classic, status: str) -> None:
    data = {"email": "Reader@Example.com", "status": status, "email_id": 7, "url": "https://a.example/x"}
    [event] = events(classic, made(grouped(("email_status", data))))
    assert event.type == (codes.CLASSIC[status].event or "vendor.email_status")
    assert event.subject == "email:7"
    assert event.record["contact"]["email"] == "reader@example.com"
    assert event.record["email"]["status"] == status
    assert codes.CLASSIC[status].words


def test_only_dead_addresses_are_bounces() -> None:
    bounced = {name for name, status in codes.CLASSIC.items() if status.event == "email.bounced"}
    assert bounced == {
        "err_user_unknown", "err_user_inactive", "err_mailbox_discarded", "err_domain_inactive", "err_no_dns",
        "err_no_smtp", "err_unreachable", "err_not_available", "err_dest_invalid",
    }  # fmt: skip


def test_ranks_follow_the_course_of_a_letter() -> None:
    course = ("not_sent", "ok_sent", "err_will_retry", "ok_delivered", "ok_read", "ok_link_visited", "ok_unsubscribed",
              "ok_fbl")  # fmt: skip
    ranks = [codes.CLASSIC[name].rank for name in course]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("status", ["ok_new_word", "err_new_word", "", None, 5, ["ok_read"]])
def test_a_status_nobody_knows_is_no_neutral_event(classic: Classic, status: Any) -> None:
    [event] = events(classic, made(grouped(("email_status", {"email": "a@example.com", "status": status}))))
    assert event.type == "vendor.email_status"


@pytest.mark.parametrize("email", [None, "", "nobody", 5, {"a": 1}, "a@b"])
def test_a_bounce_of_nobody_is_no_bounce(classic: Classic, email: Any) -> None:
    data = {"email": email, "status": "err_user_unknown", "email_id": 1}
    [event] = events(classic, made(grouped(("email_status", data))))
    assert event.type == "vendor.email_status"
    assert event.record["email"]["extra"]["email"] == email


def test_metadata_and_time_are_kept(classic: Classic) -> None:
    data = {"email": "a@example.com", "status": "ok_read", "email_id": 1, "metadata": {"deal": "55"}}
    [event] = events(classic, made(grouped(("email_status", data))))
    assert event.record["email"]["metadata"] == {"deal": "55"}
    assert event.record["email"]["extra"]["event_time"] == "2026-03-04 09:00:00"
    assert event.occurred_at == AT  # the zone isn't known: the arrival counts


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-03-04 12:00:00", dt.datetime(2026, 3, 4, 9, 0, tzinfo=dt.UTC)),
        ("2026-03-04 14:00:00", AT),  # lies ahead of the arrival
        ("yesterday", AT),
        ("", AT),
        ("9999-12-31 23:59:59", AT),
    ],
)
def test_with_a_zone_the_vendors_time_counts(time: str, expected: dt.datetime) -> None:
    connector = build(Classic, {**CLASSIC, "timezone": "Europe/Moscow"})
    told = made(grouped(("email_status", {"email": "a@example.com", "status": "ok_read"}), time=time))
    assert events(connector, told)[0].occurred_at == expected


def test_go_tells_in_utc(go: Go) -> None:
    sample = request_from_file(SAMPLES / "go" / "go.soft_bounced.single-event.webhook.json", "mail", at=AT)
    [event] = events(go, sample)
    assert event.occurred_at == dt.datetime(2024, 9, 6, 23, 22, 40, tzinfo=dt.UTC)
    assert event.record["email"]["delivery_status"] == "err_mailbox_full"
    assert "554 5.2.2" in event.text


@pytest.mark.parametrize(
    ("member", "value", "lists"),
    [
        ("list_ids", "134,999", ["guests", "999"]),
        ("list_ids", [134], ["guests"]),
        ("just_unsubscribed_list_ids", ["135"], ["invited"]),
        ("list_id", 134, ["guests"]),
        ("lists", [{"id": 134, "title": "A"}], ["guests"]),
        ("something", 1, None),
    ],
)
def test_lists_by_our_words(classic: Classic, member: str, value: Any, lists: list[str] | None) -> None:
    [event] = events(classic, made(grouped(("unsubscribe", {"email": "a@example.com", member: value}))))
    assert event.type == "email.unsubscribed"
    assert event.record["email"].get("lists") == lists
    assert event.record["email"]["extra"][member] == value


def test_a_phone_that_leaves_a_list(classic: Classic) -> None:
    [event] = events(classic, made(grouped(("unsubscribe", {"phone": "89161234567", "list_ids": "134"}))))
    assert (event.type, event.record["email"]["status"]) == ("subscription.changed", "unsubscribed")
    assert event.record["contact"]["phone"] == "+79161234567"


def test_a_spam_block(go: Go) -> None:
    sample = request_from_file(SAMPLES / "go" / "go.docs-full.mixed-events.webhook.json", "mail", at=AT)
    _, block = events(go, sample)
    assert (block.subject, block.record["email"]["status"]) == ("domain:domain_name", "blocked")
    assert "8 servers" in block.text


@pytest.mark.parametrize(
    "body",
    [{}, {"event_name": ""}, {"events_by_user": {}}, {"events_by_user": "x"}, {"result": {"task_uuid": "1"}}],
)
def test_a_body_of_no_shape_is_unreadable(classic: Classic, body: dict[str, Any]) -> None:
    """Genuine by its signature, so it is kept with the reason."""
    given = made(body)
    classic.verify(given)
    with pytest.raises(Rejected):
        events(classic, given)


def test_a_torn_piece_stops_nobody(classic: Classic) -> None:
    fine = grouped(("email_status", {"email": "a@example.com", "status": "ok_read"}))
    user = fine["events_by_user"][0]
    user["events"] = [5, None, {"event_data": {}}, *user["events"], {"event_name": "email_status", "event_data": []}]
    found = events(classic, made({"events_by_user": [*fine["events_by_user"], "nobody", {"login": "x"}]}))
    assert [event.type for event in found] == [
        "vendor.unreadable", "vendor.unreadable", "vendor.unreadable", "email.opened", "vendor.email_status",
        "vendor.unreadable", "vendor.unreadable",
    ]  # fmt: skip


def test_the_other_spelling_of_events(classic: Classic) -> None:
    body = grouped(("email_status", {"email": "a@example.com", "status": "ok_read"}))
    user = body["events_by_user"][0]
    user["Events"] = user.pop("events")
    assert [event.type for event in events(classic, made(body))] == ["email.opened"]


# --- exports, and what the hub has asked for --------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (
            b'{"result":{"task_uuid":"0-1","status":"completed","file_to_download":"https://files.example/a.csv"}}',
            False,
        ),
        (b'{"task_uuid":"0-1","url":"https:\\/\\/files.example\\/a.csv"}', False),
        (b'{"data":[{"task_uuid":"0-1","where":"https:\\/\\/files.example\\/a.csv"}]}', False),
        (b"task_uuid=0-1&file_to_download=https%3A%2F%2Ffiles.example%2Fa.csv", True),
    ],
)
def test_the_answer_to_an_export(classic: Classic, body: bytes, form: bool) -> None:
    tail = signing.export_token(CLASSIC_KEY)
    headers = {"content-type": "application/x-www-form-urlencoded" if form else "application/json"}
    told = Request("POST", f"/in/letters/{tail}", headers=headers, body=body, tail=tail, at=AT)
    classic.verify(told)
    [event] = events(classic, told)
    assert (event.type, event.key) == ("vendor.export_finished", "export:0-1")
    assert event.record["email"]["url"] == "https://files.example/a.csv"
    asked = receipt({"kind": "export", "id": "0-1", "url": "https://files.example/a.csv", "status": "ended"}, AT)
    assert events(classic, asked)[0].key == event.key  # told and asked for: one event


def test_only_the_export_address_needs_no_signature(classic: Classic, go: Go) -> None:
    tail = signing.export_token(CLASSIC_KEY)
    told = Request("POST", "/in/letters/x", body=b'{"task_uuid":"0-1"}', tail=tail, at=AT)
    classic.verify(told)
    for wrong in (replace(told, tail=tail[:-1]), replace(told, tail=""), replace(told, method="GET")):
        with pytest.raises(Rejected):
            classic.verify(wrong)
    with pytest.raises(Rejected):
        go.verify(told)
    with pytest.raises(Rejected, match="neither its task"):
        events(classic, replace(told, body=b"{}"))


def test_what_the_hub_asked_for(classic: Classic) -> None:
    def asked(**said: str) -> Event:
        [event] = events(classic, receipt(said, AT))
        return event

    sms = asked(kind="sms", id="9", status="ok_delivered", phone="+79161234567")
    assert (sms.type, sms.record["message"]["status"]) == ("vendor.sms_status", "ok_delivered")
    assert sms.record["contact"]["phone"] == "+79161234567"
    letter = asked(kind="email", id="7", status="err_no_dns", email="a@example.com")
    assert (letter.type, letter.subject) == ("email.bounced", "email:7")
    assert asked(kind="campaign", id="3", status="completed").type == "vendor.campaign_status"
    failed = asked(kind="export", id="0-1", url="", trouble="failed", status="ended")
    assert failed.record["email"]["status"] == "failed"
    hook = asked(kind="hook", id="", status="active", text="put back", key="hook:1")
    assert (hook.type, hook.key, hook.text) == ("connection.changed", "hook:1", "put back")
    with pytest.raises(Rejected):
        asked(kind="nothing", id="1", status="2")
