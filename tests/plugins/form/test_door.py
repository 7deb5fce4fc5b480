"""Who is let in, what senders are answered, and which submission is the same one again."""

import datetime as dt
from dataclasses import replace

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Rejected, Skip
from hub.model import Receipt, Request
from plugins.form import incoming, reading
from tests.plugins.form.posting import AT, SECRET, connector, post, read, sample

# --- once -------------------------------------------------------------------------------------------------------------


def keys(request, form=None):
    form = form or connector()
    return {("receipt", form.receipt_key(request)), ("event", read(request, form).key)}


ANSWERS = {"name": "Олена", "phone": "0671234567"}


@given(st.integers(0, 10**7), st.integers(0, 119))
def test_the_same_answers_within_two_minutes_are_one_submission_at_any_edge(at, seconds):
    at = AT + dt.timedelta(seconds=at)
    later = at + dt.timedelta(seconds=seconds)
    form = connector()
    first, second = post(ANSWERS, at=at), post(ANSWERS, at=later)
    same_receipt = form.receipt_key(first) == form.receipt_key(second)
    assert same_receipt or read(first, form).key == read(second, form).key


@given(st.integers(0, 10**7), st.integers(241, 10**7))
def test_who_asks_again_later_is_heard_again(at, seconds):
    at = AT + dt.timedelta(seconds=at)
    assert not keys(post(ANSWERS, at=at)) & keys(post(ANSWERS, at=at + dt.timedelta(seconds=seconds)))


def test_an_id_is_remembered_for_good():
    later = AT + dt.timedelta(days=29)
    assert keys(post({**ANSWERS, "tranid": "1:2"})) == keys(post({**ANSWERS, "tranid": "1:2"}, at=later))
    form = connector(key="Number")
    assert keys(post({**ANSWERS, "number": "5"}), form) == keys(post({"number": "5"}, at=later), form)


def test_an_identifier_sent_ahead_swallows_nobody():
    """Tilda counts its tranid up: who knows the form's address could take the next ones."""
    ahead = post({"name": "x", "phone": "0990000000", "tranid": "1:3"})
    true = post({**ANSWERS, "tranid": "1:3"})
    assert not keys(ahead) & keys(true)
    paid = post(
        {**ANSWERS, "tranid": "1:3", "payment[amount]": "900", "comment": "later"}, at=AT + dt.timedelta(days=1)
    )
    assert keys(paid) == keys(true), "sent again with the payment it is the same submission"
    nameless = [post({"question": word, "tranid": "1:4"}) for word in ("a", "b")]
    assert keys(nameless[0]) == keys(nameless[1])


def test_what_was_taken_before_keeps_its_key_when_it_is_read_again():
    """`hub replay` after an upgrade makes no second lead."""
    sent = post({**ANSWERS, "tranid": "1:9"})
    [event] = connector().parse(Receipt(1, "site", "id:1:9", sent, sent.at))
    assert event.key == "id:1:9"
    [event] = connector().parse(Receipt(2, "site", connector().receipt_key(sent), sent, sent.at))
    assert event.key == connector().receipt_key(sent) != "id:1:9"


def test_a_constant_that_looks_like_an_id_swallows_nobody():
    """A careless page sends entry_id=1 with every form."""
    assert not keys(post({**ANSWERS, "entry_id": "1"})) & keys(post({"name": "Іван", "entry_id": "1"}))


def test_what_changes_with_every_sending_does_not_count():
    one = {**ANSWERS, "COOKIES": "a=1", "timestamp": "1", "_wpnonce": "x", "g-recaptcha-response": "y"}
    other = {**ANSWERS, "COOKIES": "a=2", "timestamp": "2", "_wpnonce": "z", "g-recaptcha-response": "w"}
    assert keys(post(one)) == keys(post(other))
    assert keys(post(ANSWERS)) != keys(post({**ANSWERS, "phone": "0671234568"}))


def test_two_people_open_one_form():
    opened = sample("form-opened.http", tail=f"{SECRET}/opened")
    assert keys(opened) == keys(opened)
    assert not keys(opened) & keys(replace(opened, remote="203.0.113.8"))


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        post(ANSWERS),
        post(ANSWERS, tail="old secret"),
        post(ANSWERS, tail="old%20secret"),
        post(ANSWERS, tail="", headers={"x-api-key": SECRET}),
        post(ANSWERS, tail="", headers={"authorization": f"bearer {SECRET}"}),
        post({**ANSWERS, "api_key": SECRET}, tail=""),
        post({**ANSWERS, "api_key": SECRET}, tail="", kind="json"),
    ],
)
def test_a_secret_may_stand_in_several_places(request_):
    connector(secrets=["old secret"], secret_field="api_key").verify(request_)


def test_a_secret_in_a_field_is_in_no_record():
    form = connector(secret_field="api_key")
    event = read(post({**ANSWERS, "api_key": SECRET}, tail=""), form)
    assert SECRET not in str(event)


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (post(ANSWERS, tail=""), 401, "no secret"),
        (post(ANSWERS, tail="nope"), 401, "wrong secret"),
        (post(ANSWERS, tail="секрет"), 401, "wrong secret"),
        (replace(post(ANSWERS), method="GET"), 405, "POST"),
        (replace(post(ANSWERS), method="DELETE"), 405, "POST"),
        (replace(post(ANSWERS), body=b"a=" + b"x" * 1_000_000), 413, "bytes"),
        (post(ANSWERS, headers={"origin": "https://evil.example"}), 403, "evil.example"),
    ],
)
def test_the_door_says_why(request_, status, words):
    with pytest.raises(Rejected, match=words) as caught:
        connector(origins=["https://www.example.com"]).verify(request_)
    assert caught.value.status == status


def test_a_secret_in_the_field_of_a_hostile_body_is_not_looked_for():
    request = replace(post({}, kind="json", tail=""), body=b"[" * 100_000)
    with pytest.raises(Rejected, match="deeper"):
        connector(secret_field="api_key").verify(request)


def test_tildas_test_is_answered_and_not_stored():
    reply = connector().handshake(sample("tilda-test-ping.txt"))
    assert (reply.status, reply.body) == (200, "ok")
    assert connector(secret_field="k").handshake(post({"test": "test", "k": SECRET}, tail="")).body == "ok"
    wrong = sample("tilda-test-ping.txt", tail="wrong")
    assert connector().handshake(wrong) is None
    with pytest.raises(Rejected):
        connector().verify(wrong)
    assert connector().parse(Receipt(0, "form", "try", wrong, AT)) == []
    assert connector().handshake(post({"test": "test", "name": "A"})) is None


def test_a_page_asks_before_it_posts():
    form = connector(origins=["https://www.example.com"])
    ask = Request("OPTIONS", "/in/form", headers={"origin": "https://www.example.com"}, tail=SECRET)
    reply = form.handshake(ask)
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == "https://www.example.com"
    assert "Content-Type" in reply.headers["Access-Control-Allow-Headers"]
    stranger = form.handshake(replace(ask, headers={"origin": "https://evil.example"}))
    assert (stranger.status, stranger.headers) == (403, {})
    answer = form.acknowledge(post(ANSWERS, headers={"origin": "https://www.example.com"}))
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.example.com"


def test_without_origins_any_page_may_post_and_none_may_read():
    form, page = connector(), {"origin": "https://anywhere.example"}
    reply = form.handshake(Request("OPTIONS", "/in/form", headers=page, tail=SECRET))
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert "Access-Control-Allow-Credentials" not in reply.headers
    form.verify(post(ANSWERS, kind="json", headers=page))
    assert "Access-Control-Allow-Origin" not in form.acknowledge(post(ANSWERS, kind="json", headers=page)).headers
    with pytest.raises(Rejected, match="wrong secret"):
        form.verify(post(ANSWERS, kind="json", headers=page, tail="wrong"))


def test_a_visitor_goes_on_to_configured_addresses_alone():
    form = connector(redirect=["https://www.example.com/thanks", "https://www.example.com/paid"])
    browser = {"accept": "text/html,*/*"}
    answer = form.acknowledge(post(ANSWERS, headers=browser))
    assert (answer.status, answer.headers["Location"]) == (303, "https://www.example.com/thanks")
    wanted = post({**ANSWERS, "redirect": "https://www.example.com/paid"}, headers=browser)
    assert form.acknowledge(wanted).headers["Location"] == "https://www.example.com/paid"
    wanted = post({**ANSWERS, "redirect": "https://evil.example/"}, headers=browser)
    assert form.acknowledge(wanted).headers["Location"] == "https://www.example.com/thanks"
    assert form.acknowledge(post(ANSWERS)).status == 200  # Elementor shows its visitor an error for anything else
    assert connector().acknowledge(post(ANSWERS, headers=browser)).body == "ok"


def test_an_opened_form_is_answered_with_a_picture():
    answer = connector().acknowledge(sample("form-opened.http", tail=f"{SECRET}/opened"))
    assert (answer.status, answer.content_type) == (200, "image/gif")


def test_a_robot_is_answered_and_makes_no_lead():
    form = connector(honeypot="website2")
    robot = post({**ANSWERS, "website2": "http://spam.example"})
    form.verify(robot)
    assert form.acknowledge(robot).status == 200
    with pytest.raises(Skip) as caught:
        form.parse(Receipt(1, "form", "k", robot, AT))
    assert caught.value.code == "honeypot"
    assert "website2" not in read(post({**ANSWERS, "website2": ""}), form).record["form"]["fields"]


@pytest.mark.parametrize("body", [b"{broken", b'{"a": NaN}', b"[1, 2]", b"{}", b"", b'{"name": ""}', b"[" * 100_000])
def test_genuine_and_unintelligible_is_kept_with_the_reason(body):
    form = connector()
    request = replace(post({}, kind="json"), body=body)
    form.verify(request)
    assert form.receipt_key(request)
    assert form.acknowledge(request).status == 200
    with pytest.raises(Rejected) as caught:
        form.parse(Receipt(1, "form", "k", request, AT))
    assert caught.value.reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"origins": ["www.example.com"]}, "not an origin"),
        ({"origins": ["https://www.example.com/page"]}, "not an origin"),
        ({"redirect": ["/thanks"]}, "write it whole"),
        ({"read": {"phone": "x"}}, "none of our fields"),
        ({"read": {"contact.phoen": "x"}}, "no field 'phoen'"),
        ({"secret": ""}, "Shorter"),
    ],
)
def test_settings_say_what_is_wrong(settings, words):
    with pytest.raises(ma.ValidationError, match=words):
        connector(**settings)


def test_check_points_at_a_short_secret():
    assert [finding.level for finding in connector().check()] == ["ok"]
    [finding] = connector(secrets=["short"]).check()
    assert (finding.level, "openssl" in finding.remedy) == ("warning", True)
    assert "short" in finding.text


NAMED = b'Content-Disposition: form-data; name="a"'


def multipart(*parts, boundary="b"):
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    headers = {"content-type": f"multipart/form-data; boundary={boundary}" if boundary else "multipart/form-data"}
    return Request("POST", "/in/site/x", headers=headers, body=body, tail="x")


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (
            multipart(b'Content-Disposition: form-data; name="a"' + b"; x=y" * 3000 + b"\r\n\r\n1"),
            413,
            "8192 bytes of headers",
        ),
        (multipart(b"Content-Disposition: form-data" + b'; n*0="a"' * 100_000), 413, "8192 bytes of headers"),
        (multipart(*[b'Content-Disposition: form-data; name="a"\r\n\r\n1'] * 1001), 413, "more than 1000 form fields"),
        (multipart(b"x", boundary=""), 400, "names no boundary"),
    ],
)
def test_a_body_made_to_cost_time_is_turned_away(request_, status, words):
    with pytest.raises(Rejected, match=words) as refused:
        reading.read(request_)
    assert refused.value.status == status


def test_a_big_file_is_no_header():
    part = b'Content-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + b"\x00" * 100_000
    [(name, said)] = reading.read(multipart(part)).items()
    assert (name, said.split(" (")[0]) == ("file", "a.bin")


def test_with_a_secret_around_it_the_body_is_not_looked_into(monkeypatch):
    """What costs the most comes last, and not at all for whoever has the address."""
    form = connector(secret_field="key")
    monkeypatch.setattr(incoming, "read", lambda request: pytest.fail("the body was read"))
    form.verify(post(ANSWERS))


@pytest.mark.parametrize(
    "charset", ["unicode_escape", "raw_unicode_escape", "idna", "punycode", "utf-7", "hex", "x" * 300]
)
def test_a_charset_that_is_none_is_utf_8(charset):
    sent = Request(
        "POST", "/in/site/x", headers={"content-type": f"application/x-www-form-urlencoded; charset={charset}"},
        body=b"name=%5cud800%5cu0041+-" + "Олена".encode(),
    )  # fmt: skip
    assert reading.read(sent) == {"name": "\\ud800\\u0041 -Олена"}


def test_fields_called_like_the_hubs_own_words_shadow_nothing():
    event = read(post({**ANSWERS, "was": "x", "extra": "y", "_connection": "crm"}))
    assert not {"was", "extra"} & set(event.record["form"])
    assert {"was", "extra"} <= set(event.record["form"]["fields"])
