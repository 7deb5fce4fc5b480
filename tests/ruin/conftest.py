"""Vendors and trees that end with their test, and the line of figures each storm leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ruin.tree import Tree
from tests.ruin.vendor import Vendor

_FIGURES: list[str] = []


@pytest.fixture
def vendors() -> Iterator[Callable[[], Vendor]]:
    """Start vendor stand-ins; all are ended with the test."""
    started: list[Vendor] = []

    def start() -> Vendor:
        started.append(Vendor())
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def vendor(vendors: Callable[[], Vendor]) -> Vendor:
    """One stand-in."""
    return vendors()


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Callable[..., Tree]]:
    """Start hubs; all their processes are ended with the test, whatever became of it."""
    started: list[Tree] = []

    def start(yaml: str, **options: Any) -> Tree:
        started.append(Tree(options.pop("folder", tmp_path / f"hub{len(started)}"), yaml, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keep one line of figures for the summary."""

    def note(storm: str, **numbers: Any) -> None:
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in numbers.items())
        _FIGURES.append(f"{storm}: {told}")

    return note


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures of all storms."""
    if _FIGURES:
        terminalreporter.section("storms")
        for line in _FIGURES:
            terminalreporter.write_line(line)
