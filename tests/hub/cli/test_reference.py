"""docs/cli.md tells what the commands themselves tell."""

from __future__ import annotations

import os
from pathlib import Path

from hub.cli.reference import with_commands

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_is_what_the_commands_say() -> None:
    page = PAGE.read_text("utf-8")
    fresh = with_commands(page)
    if os.environ.get("HUB_WRITE_DOCS"):
        PAGE.write_text(fresh, "utf-8")
        page = fresh
    assert page == fresh, "docs/cli.md is stale: HUB_WRITE_DOCS=1 pytest tests/hub/cli/test_reference.py"
