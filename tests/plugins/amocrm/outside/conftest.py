"""Clients that others wrote: which, and how they are driven (see `tests.outside`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside import Clients, Drive

#: three of them share the import name `amocrm`
CLIENTS = Clients(
    "amocrm",
    Path(__file__).parent,
    python={
        "aioamocrm": [["aioamocrm==0.1.1"]],
        "amocrm-api-wrapper": [["amocrm-api-wrapper==1.0.1"]],
        "amocrm-api": [["amocrm-api==2.6.1"]],
        "amocrm-sdk": [["amocrm-sdk==0.4.0"]],
        "kommo-python": [["kommo-python==0.1.2"]],
    },
    node={"npm-amo": ["@shevernitskiy/amo@0.1.12"], "npm-amocrm-js": ["amocrm-js@3.6.0"]},
)


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Run the script of a client with settings, and return what it found."""
    return lambda client, settings: CLIENTS.drive(client, settings, {"NO_PROXY": "*"})
