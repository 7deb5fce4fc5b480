"""The stand-in of the senders: each posts what the connector understands."""

import pytest
import requests

from hub.model import Receipt, Request
from hub.testing import build
from plugins.form.connector import FormConnector
from plugins.form.sandbox import SENDERS, FormSandbox
from plugins.standard.sandbox import StandardSandbox


@pytest.mark.parametrize("sender", SENDERS)
def test_what_a_sender_posts_is_understood(sender):
    with FormSandbox().start() as senders, StandardSandbox().start() as sink:
        answer = requests.post(
            f"{senders.url}/send", json={"sender": sender, "url": f"{sink.url}/in/site/s"}, timeout=5
        )
        assert answer.json()["status"] == 200
        [got] = sink.sandbox.data["received"]
    headers = {name.lower(): value for name, value in got["headers"].items()}
    request = Request(got["method"], got["path"], (), headers, got["body"].encode(), tail="s")
    form = build(FormConnector, {"secret": "s"})
    form.verify(request)
    if sender == "tilda_ping":
        assert form.handshake(request).body == "ok"
    else:
        [event] = form.parse(Receipt(1, "site", form.receipt_key(request), request, request.at))
        assert event.record["contact"]["phone"] == "+380671234567"
        assert event.record["contact"]["name"] == "Олена Коваль"


def test_an_unknown_sender_is_told():
    with FormSandbox().start() as senders:
        answer = requests.post(f"{senders.url}/send", json={"sender": "wix", "url": "http://x"}, timeout=5)
    assert answer.status_code == 400
    assert "tilda" in answer.json()["error"]
