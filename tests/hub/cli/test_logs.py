"""The log of a running hub: readable, and nothing in it that nobody may see."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from hub.cli.logs import MaskingFormatter
from hub.masking import Masker


def line(as_json: bool, message: str, *args: object, trace: bool = False) -> str:
    info = None
    if trace:
        try:
            raise ValueError("call of +380671112233 with s3cr3t-token")
        except ValueError:
            info = sys.exc_info()
    record = logging.LogRecord("hub.test", logging.INFO, __file__, 1, message, args, info)
    return MaskingFormatter(Masker(["s3cr3t-token"]), as_json).format(record)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("trace", [False, True])
def test_secrets_and_people_are_masked_everywhere(as_json: bool, trace: bool) -> None:
    told = line(as_json, "to %s of %s with %s", "067 111-22-33", "anna.k@example.com", "s3cr3t-token", trace=trace)
    for hidden in ("067 111-22-33", "671112233", "anna.k", "s3cr3t-token"):
        assert hidden not in told
    assert "a***@example.com" in told and "***" in told


def test_the_lines_own_time_is_kept() -> None:
    told = line(False, "event id=%s", 1)
    assert told[4] == told[7] == "-" and told[10] == "T" and told[23] == "Z"
    assert told.endswith("INFO hub.test: event id=1")


def test_json_is_one_object() -> None:
    told = json.loads(line(True, "event id=%s", 1))
    assert told["message"] == "event id=1" and told["level"] == "info" and told["logger"] == "hub.test"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_came_from_outside_begins_no_line_and_moves_no_cursor(as_json: bool) -> None:
    told = line(
        as_json,
        "subject=%s",
        "form:id:\x1b]0;PWNED\x07\x1b[31m\r\n2026-01-01T00:00:00.000Z INFO hub: all is well\u202e",
    )
    assert not [letter for letter in told if ord(letter) < 32 or letter == "\u202e"]
    assert "PWNED" in told
