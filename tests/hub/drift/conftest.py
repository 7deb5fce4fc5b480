"""A hub beside an account that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.drift.accounts import (
    ACCOUNTS,
    START,
    YAML,
    Account,
    look,
)
from tests.hub.fakes import WORLDS, Box, Source, World


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Box]]:
    """Start the hub; asked again, it is stopped and started with another hub.yaml on the same store."""
    running: list[Box] = []
    worlds: dict[str, World] = {}
    ACCOUNTS.clear()
    ACCOUNTS["crm"] = list(START)
    monkeypatch.setattr("hub.pauses.FRESH", 0.0)

    def start(yaml: str = YAML) -> Box:
        if running:
            worlds.update(WORLDS)
            running.pop().close()
        box = Box(tmp_path, yaml, plugins=(Source, Account))
        WORLDS.update(worlds)
        running.append(box)
        box.start()
        look(box)
        return box

    yield start
    for box in running:
        box.close()
