"""Reports as CSV: what a stranger wrote into a form opens as a text."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from hub.cli import csvfile

ROWS = [
    {"id": 7, "title": '=HYPERLINK("http://x.example","open")', "more": "left out"},
    {"id": 8, "title": "+380671112233"},
    {"id": 9, "title": "@sum(1)"},
    {"id": 10, "title": "-2+3"},
    {"id": 11, "title": "\tcmd"},
    {"id": -12, "title": 'Анна; "О\'Ніл",\nKyiv'},
]


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    csvfile.write(tmp_path / "t.csv", ("id", "title"), ROWS)
    raw = (tmp_path / "t.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel reads UTF-8 by this mark alone"
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert [row["title"][:2] for row in rows] == ["'=", "'+", "'@", "'-", "'\t", "Ан"]
    assert rows[-1] == {"id": "-12", "title": 'Анна; "О\'Ніл",\nKyiv'}


def test_to_the_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    csvfile.write(Path("-"), ("id", "title"), ROWS[1:2])
    assert capsys.readouterr().out.splitlines() == ["id,title", "8,'+380671112233"]
