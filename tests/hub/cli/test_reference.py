"""docs/cli.md tells what the commands themselves tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
_FRESH = "import sys; from hub.cli.reference import with_commands; sys.stdout.write(with_commands(sys.stdin.read()))"


def test_the_page_is_what_the_commands_say() -> None:
    page = PAGE.read_text("utf-8")
    # In a process of its own: click keeps a command's help option from the first time anybody asked it.
    fresh = subprocess.run(
        [sys.executable, "-c", _FRESH], input=page, capture_output=True, text=True, check=True
    ).stdout
    if os.environ.get("HUB_WRITE_DOCS"):
        PAGE.write_text(fresh, "utf-8")
        page = fresh
    assert page == fresh, "docs/cli.md is stale: HUB_WRITE_DOCS=1 pytest tests/hub/cli/test_reference.py"
