"""Clients that others wrote: which, and how they are driven (see `tests.outside`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside import Clients, Drive

CLIENTS = Clients(
    "standard",
    Path(__file__).parent,
    python={"svix": [["svix==2.9.1"]], "standardwebhooks": [["standardwebhooks==1.1.0"]]},
    node={"npm-svix": ["svix@2.5.0"], "npm-standardwebhooks": ["standardwebhooks@1.1.1"]},
    scripts_of={
        "svix": "webhooks", "standardwebhooks": "webhooks", "npm-svix": "npm_webhooks",
        "npm-standardwebhooks": "npm_webhooks",
    },
)  # fmt: skip


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Run the script of a client with settings, and return what it found."""
    return lambda client, settings: CLIENTS.drive(client, {**settings, "package": client.removeprefix("npm-")})
