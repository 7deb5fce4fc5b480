"""Clients that others wrote: which, and how they are driven (see `tests.outside`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside import Clients, Drive

CLIENTS = Clients(
    "instagram",
    Path(__file__).parent / "scripts",
    python={
        "facebook-business": [["facebook-business==26.0.3"]],
        "python-facebook-api": [["python-facebook-api==0.24.0"]],
    },
    node={"messaging-api-messenger": ["messaging-api-messenger@1.1.0"]},
)


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Run the script of a client with settings, and return what it found."""
    return CLIENTS.drive
