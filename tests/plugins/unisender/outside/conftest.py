"""Clients that others wrote: which, and how they are driven (see `tests.outside`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside import Clients, Drive

CLIENTS = Clients(
    "unisender",
    Path(__file__).parent,
    python={
        "django-anymail": [["django-anymail==15.2"]],
        "unisender-go-api": [["unisender-go-api==0.3.0", "pydantic<2"]],
        "django-tasker-unisender": [["django-tasker-unisender==0.0.1"]],
    },
    node={
        "npm-unisender": ["unisender@1.1.1"],
        "npm-unisender-api": ["unisender-api@1.1.1"],
        "npm-unisender-node": ["unisender-node@0.0.7"],
    },
)


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Run the script of a client with settings, and return what it found."""
    return CLIENTS.drive
