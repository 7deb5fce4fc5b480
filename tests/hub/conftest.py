"""What several files share: a hub with a wild connector and its door, vendors and a session that calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from hub.masking import Masker
from hub.session import Session
from hub.web import create_app
from tests.hub.fakes import PLUGINS, Box
from tests.hub.vendor import Vendor
from tests.hub.wild import YAML, Small, Wild


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    Wild.acts = {}
    box = Box(tmp_path, YAML, plugins=(*PLUGINS, Wild, Small))
    yield box
    box.close()


@pytest.fixture
def web(box: Box) -> Iterator[FlaskClient]:
    app = create_app(box.runtime, box.ring)
    app.testing = False
    yield app.test_client()
    app.extensions["receiver"].commit.stop()


@pytest.fixture
def vendors() -> Iterator[Callable[..., Vendor]]:
    """Make vendors; all are closed afterwards."""
    made: list[Vendor] = []

    def make(*args: object, **options: object) -> Vendor:
        made.append(Vendor(*args, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for vendor in made:
        vendor.close()


@pytest.fixture
def http() -> Iterator[Session]:
    """A session that may talk to this machine, with a secret."""
    session = Session("crm", hosts=["127.0.0.1"], timeout=5, masker=Masker(["s3cr/et key"]))
    yield session
    session.close()
