"""Signatures, held against the standard's own test vector and library."""

import datetime as dt

import marshmallow as ma
import pytest
from standardwebhooks.webhooks import Webhook

from hub.errors import Rejected
from hub.model import Request
from hub.testing import build
from plugins.standard import signing
from plugins.standard.connector import StandardConnector

# The vector that the reference libraries test themselves with (standard-webhooks, libraries/*/tests).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = dt.datetime.fromtimestamp(1_614_265_330, dt.UTC)
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def request(signature=SIGNATURE, body=BODY, at=AT, id=ID, timestamp="1614265330"):
    headers = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    return Request("POST", "/in/x", headers=headers, body=body, at=at)


def test_the_reference_vector():
    signing.verify_standard(request(), [SECRET], 300)
    assert signing.sign(SECRET, ID, AT, BODY) == {
        "Webhook-Id": ID,
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": SIGNATURE,
    }


def test_time_is_the_requests_not_the_clocks():
    """The vector is years old: a stored request is judged by the time it arrived."""
    signing.verify_standard(request(at=AT + dt.timedelta(seconds=300)), [SECRET], 300)
    for seconds, word in ((301, "old"), (-301, "ahead")):
        with pytest.raises(Rejected, match=word):
            signing.verify_standard(request(at=AT + dt.timedelta(seconds=seconds)), [SECRET], 300)


def test_one_of_several_signatures_and_secrets_is_enough():
    other = "whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA=="
    signing.verify_standard(request(f"v1a,abc= v1,AAAA {SIGNATURE}"), [other, SECRET], 300)
    with pytest.raises(Rejected, match="no signature fits"):
        signing.verify_standard(request(), [other], 300)


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET.removeprefix("whsec_"), "whsec_" + "QUFB" * 8, "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"]
)
def test_the_library_accepts_what_we_sign_and_we_what_it_signs(secret):
    now = dt.datetime.now(dt.UTC)
    headers = signing.sign(secret, "msg_1", now, '{"name": "Олена"}'.encode())
    Webhook(secret).verify('{"name": "Олена"}'.encode(), headers)
    signature = Webhook(secret).sign("msg_1", now, "тест")
    ours = request(signature, "тест".encode(), now, "msg_1", str(int(now.timestamp())))
    signing.verify_standard(ours, [secret], 300)


def test_a_raw_secret_is_taken_as_it_is_too():
    secret = "a plain text, no base64"
    headers = {name.lower(): value for name, value in signing.sign(secret, ID, AT, BODY).items()}
    assert headers["webhook-signature"] == Webhook(secret.encode()).sign(ID, AT, BODY.decode())
    signing.verify_standard(Request("POST", "/", headers=headers, body=BODY, at=AT), [secret], 300)


def test_bodies_that_are_no_text_are_checked_as_bytes():
    with pytest.raises(Rejected):
        signing.verify_standard(request(body=b"\xff\xfe"), [SECRET], 300)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", [True, False])
def test_hmac_of_other_senders(algorithm, encoding, prefix):
    import base64
    import hmac

    digest = hmac.digest(b"plain", BODY, algorithm)
    value = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    headers = {"x-signature": f"{algorithm}={value}" if prefix else value}
    got = Request("POST", "/", headers=headers, body=BODY)
    signing.verify_hmac(got, ["other", "plain"], "X-Signature", algorithm, encoding)
    with pytest.raises(Rejected, match="does not fit"):
        signing.verify_hmac(got, ["other"], "X-Signature", algorithm, encoding)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "Missing data"),
        ({"secrets": []}, "Shorter"),
        ({"secrets": ["whsec_!!!"]}, "base64"),
        ({"secrets": [SECRET], "auth": "hmac"}, "needs the name of the header"),
        ({"secrets": [SECRET], "auth": "magic"}, "Must be one of"),
        ({"secrets": [SECRET], "event": "lead.recieved"}, "no event"),
        ({"secrets": [SECRET], "read": {"contact.phoen": "x"}}, "no field 'phoen'"),
        ({"secrets": [SECRET], "read": {"phone": "x"}}, "none of our fields"),
        ({"secrets": [SECRET], "base_url": "ftp://x"}, "not an address"),
        ({"secrets": [SECRET], "retry_on": ["4xx"]}, "409 or 500-599"),
        ({"secrets": [SECRET], "limits": {"per_second": "0"}}, "greater than 0"),
    ],
)
def test_settings_say_what_is_wrong(settings, words):
    with pytest.raises(ma.ValidationError, match=words) as caught:
        build(StandardConnector, settings)
    assert SECRET not in str(caught.value)
