"""Reports as CSV that a spreadsheet opens: UTF-8 with its mark, and no cell that it would take for a formula."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: how a cell begins that a spreadsheet runs: names and texts come from whoever wrote them into a form
_RUN = ("=", "+", "-", "@", "\t", "\r")


def write(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows into a file, or to the standard output for `-`; columns that aren't named are left out."""
    if str(file) == "-":
        _write(sys.stdout, columns, rows)
        return
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        _write(stream, columns, rows)


def _write(stream: Any, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(stream, columns, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.items()})


def _harmless(value: Any) -> Any:
    """Return a text that would run as a formula with the sign that makes it a text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_RUN) else value
