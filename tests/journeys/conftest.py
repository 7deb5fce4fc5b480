"""A place that is taken down with its test, and tries that follow each other quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import outcome
from tests import company
from tests.journeys.both import Both
from tests.journeys.place import Place


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a test that is marked so a PostgreSQL database for its hub."""
    if request.node.get_closest_marker("postgresql"):
        monkeypatch.setattr(company, "DATABASE", request.getfixturevalue("postgresql_url"))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Place]]:
    """Build places with options of their own."""
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    built: list[Place] = []

    def build(**options: Any) -> Place:
        built.append(Place(tmp_path / f"place{len(built)}", **options))
        return built[-1]

    yield build
    for one in built:
        one.close()


@pytest.fixture
def place(places: Callable[..., Place]) -> Place:
    """The usual place, at work."""
    return places().start()


@pytest.fixture
def boths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Both]]:
    """Build places with two CRMs."""
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    built: list[Both] = []

    def build(**options: Any) -> Both:
        built.append(Both(tmp_path / f"both{len(built)}", **options))
        return built[-1]

    yield build
    for one in built:
        one.close()


@pytest.fixture
def both(boths: Callable[..., Both]) -> Both:
    """Two CRMs whose sync is under way."""
    return boths().start()
