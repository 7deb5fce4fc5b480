"""What reaches the terminal: our own colours, and nothing that a stranger wrote into a form to move its cursor."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.cli import output
from hub.cli.context import InputError, WorldError
from hub.cli.output import COLOURS, bold, coloured, dim

CLI = Path(output.__file__).parent
WRITTEN = "Anna\x1b[2J\x1b]0;owned\x07\r\x1b[8m\x9b31m\u202etxt"


def test_what_came_from_outside_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    output.echo(f"contact {WRITTEN}\n\tnext")
    shown = capsys.readouterr().out
    assert shown == "contact Anna\\x1b[2J\\x1b]0;owned\\x07\\x0d\\x1b[8m\\x9b31m\\u202etxt\n\tnext\n"


def test_a_cell_of_a_table_is_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("subject", "state"), [{"subject": "form:1\nform:2  done\x1b[2J\t", "state": "parked"}], "none")
    _heading, row = capsys.readouterr().out.splitlines()
    assert row.split() == [r"form:1\x0aform:2", r"done\x1b[2J\x09", "parked"]


def test_our_colours_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(output.click, "echo", lambda text, **named: said.append(text))
    words = [*(coloured(word) for word in COLOURS), bold("x"), dim("y")]
    for word in words:
        output.echo(word)
    assert said == words
    assert all("\x1b[" in word for word in words)


@pytest.mark.parametrize("kind", [InputError, WorldError])
def test_errors_too(kind: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    kind(f"the vendor says {WRITTEN}").show()  # type: ignore[attr-defined]
    shown = capsys.readouterr()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown.out + shown.err)
    assert "owned" in shown.out + shown.err


def test_there_is_one_way_to_the_terminal() -> None:
    elsewhere = [path.name for path in CLI.glob("*.py") if re.search(r"click\.s?echo\(", path.read_text())]
    assert elsewhere == ["output.py"]


@pytest.mark.parametrize(("kept", "shown"), [
    ("phone +380671112233", "phone +380671112233"), ("handle insta:anna", "handle insta:anna"),
    ("crm.contact 55", "contact 55 at crm"), ("hint.session_id 400", "session_id 400 (a hint)"),
])  # fmt: skip
def test_a_key_as_people_read_it(kept: str, shown: str) -> None:
    assert output.key(kept) == shown
