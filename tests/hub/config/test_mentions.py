"""What routes name of an account is gathered under the record it is written into."""

from __future__ import annotations

from pathlib import Path

from hub.config import load
from hub.connector import ActionKind
from hub.plugins import Plugins
from tests.hub.config.fakes import connector

YAML = """
connections:
  crm: {plugin: turner, names: {stages: {fresh: "C3:NEW"}}}
routes:
  - name: a lead becomes a deal
    on: crm.lead.created
    do: crm.lead.convert
    set: {STAGE_ID: fresh, UF_BREED: akita}
  - name: a lead stays one
    on: crm.lead.created
    do: crm.lead.update
    set: {UF_BREED: akita}
"""


def test_an_action_may_write_another_records_fields(tmp_path: Path) -> None:
    kinds = (ActionKind("lead.convert", stage_fields=("STAGE_ID",), writes="deal"), ActionKind("lead.update"))
    turner = connector("turner", "lead.created", vendor=r"[A-Z][A-Z0-9_]*", kinds=kinds)
    (tmp_path / "hub.yaml").write_text(YAML)
    found = load(tmp_path / "hub.yaml", Plugins.of(turner), {}).mentions["crm"]
    assert {(one.kind, one.record, one.code) for one in found} == {
        ("stage", "deal", "C3:NEW"),
        ("field", "deal", "UF_BREED"),
        ("field", "lead", "UF_BREED"),
    }
