"""Clients that others wrote: which, and how they are driven (see `tests.outside`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside import Clients, Drive

#: the two called novaposhta share an import name
CLIENTS = Clients(
    "novaposhta",
    Path(__file__).parent,
    python={
        "novaposhta": [["novaposhta==0.0.10"]],
        "novaposhta-python-client": [["--no-deps", "novaposhta-python-client==0.1.14"], ["httpx"]],
        "novaposhta-api-client": [["novaposhta-api-client==0.2.3"]],
    },
    node={
        "npm-novaposhta": ["novaposhta@1.1.1"],
        "npm-shopana": [
            "@shopana/novaposhta-api-client@0.0.1",
            "@shopana/novaposhta-transport-fetch@0.0.1",
            "esbuild",
        ],
    },
    bundled=["npm-shopana"],
)


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Run the script of a client with settings, and return what it found.

    One client's models have the vendor for a default wherever no address was given to them.
    """
    return lambda client, settings: CLIENTS.drive(client, settings, {"NOVAPOSHTA_API_POINT": settings["api_url"]})
