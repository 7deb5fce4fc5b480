"""A copy of a hint makes the hub look again; where there is nothing to compare with, it would be told twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.fakes import WORLDS, Box

YAML = """
hub: {unrouted: ignore}
connections:
  crm: {plugin: sink}
routes: []
"""


@pytest.mark.parametrize(("type_", "looks"), [("deal.updated", 2), ("note.added", 1), ("message.received", 1)])
def test_a_copy_that_comes_after_the_look(tmp_path: Path, type_: str, looks: int) -> None:
    box = Box(tmp_path, YAML).start()
    try:
        WORLDS["crm"].records[("deal", "1")] = {"id": "1", "TITLE": "x"}
        hint = {"type": type_, "subject": "deal:1", "key": "once", "record": {"deal": {"id": "1"}}, "hint": True}
        for receipt in ("first", "retry"):
            box.send(hint, to="crm", id=receipt)
            box.settle()
        assert len(WORLDS["crm"].reads) == looks
        told = [one for one in box.events() if one["type"] == type_ and one["state"] == "planned"]
        assert len(told) == 1
    finally:
        box.close()
