"""A connector for tests, the vendor's recorded answers, and a portal to talk to."""

import datetime as dt
import json
from pathlib import Path

import pytest
import requests

from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox

SAMPLES = Path(__file__).parent / "samples"
HOOK = "https://portal.bitrix24.ru/rest/1/fakewebhooksecret/"
APP = {
    "client_id": "app.000000000000.00000000",
    "client_secret": "fake_client_secret",
    "portal": "https://portal.bitrix24.ru",
}


def sample(name):
    return json.loads((SAMPLES / name).read_text())


@pytest.fixture
def recorded():
    """Return a recorded JSON body by its file name."""
    return sample


@pytest.fixture
def by_hook():
    """Return a connector that calls through an inbound webhook."""
    return build(Bitrix24, {"webhook_url": HOOK, "application_token": "t0ken-of-the-hook"})


@pytest.fixture
def by_app():
    """Return a connector that calls as an installed app."""
    held = {
        "access_token": "old-access",
        "refresh_token": "old-refresh",
        "client_endpoint": "https://portal.bitrix24.ru/rest/",
        "server_endpoint": "https://oauth.bitrix.info/rest/",
        "member_id": "m",
        "application_token": "learned-token",
    }
    return build(Bitrix24, APP, tokens=held)


class Clock:
    def __init__(self):
        self.now = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def portal(clock):
    with Bitrix24Sandbox(rate_per_second=None, clock=clock).start() as running, requests.Session() as http:
        hook = running.sandbox.credentials()["webhook_url"]

        class Client:
            sandbox, url = running.sandbox, running.url

            def call(self, method, **params):
                answer = http.post(hook + method, json=params, timeout=5)
                return answer.status_code, answer.json()

            def ok(self, method, **params):
                status, body = self.call(method, **params)
                assert status == 200, body
                return body["result"]

            def state(self):
                return http.get(self.url + "/_sandbox/state", timeout=5).json()

        yield Client()


@pytest.fixture
def contact(portal):
    phones = [{"VALUE": "+380501112233", "VALUE_TYPE": "MOBILE"}, {"VALUE": "+380441112233", "VALUE_TYPE": "WORK"}]
    mails = [{"VALUE": "olena@example.com", "VALUE_TYPE": "WORK"}]
    return portal.ok("crm.contact.add", fields={"NAME": "Олена", "PHONE": phones, "EMAIL": mails})
