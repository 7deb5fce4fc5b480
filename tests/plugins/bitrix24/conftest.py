"""A connector for tests, the vendor's recorded answers, and a portal to talk to."""

import json
from pathlib import Path

import pytest

from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24

SAMPLES = Path(__file__).parent / "samples"
HOOK = "https://portal.bitrix24.ru/rest/1/fakewebhooksecret/"
APP = {
    "client_id": "app.000000000000.00000000",
    "client_secret": "fake_client_secret",
    "portal": "https://portal.bitrix24.ru",
}


@pytest.fixture
def recorded():
    """Return a recorded JSON body by its file name."""
    return lambda name: json.loads((SAMPLES / name).read_text())


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
