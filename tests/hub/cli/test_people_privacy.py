"""`hub people export|erase|erasures` as a person uses them."""

from __future__ import annotations

import json
import stat
from typing import Any

from tests.hub.cli.conftest import Hub
from tests.hub.fakes import Box, form

PHONE = "+380671112233"


def _numbers(told: Any) -> list[float]:
    """Return what looks like seconds since 1970, wherever it stands."""
    if isinstance(told, dict | list):
        return [n for one in (told.values() if isinstance(told, dict) else told) for n in _numbers(one)]
    return [told] if isinstance(told, int | float) and 1e9 < told < 4e9 else []


def test_all_there_is_of_one_person_is_written_down(hub: Hub, box: Box) -> None:
    box.send(form(PHONE, "Oksana Testova", city="Lviv"))
    box.settle()
    told = json.loads(hub("people", "export", "067", "111 22 33").stdout)
    assert told["person"] == {"ids": [1], "names": ["Oksana Testova"]}
    assert [one["action"] for one in told["deliveries"]] == ["lead.upsert", "comment.create"]
    assert "letmein" not in json.dumps(told)
    assert _numbers(told) == [], "times are text"
    out = hub.folder / "oksana.json"
    assert "1 receipt, 1 event, 2 deliveries, 2 attempts" in hub("people", "export", "1", "--out", str(out)).stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_text())["keys"] == told["keys"]
    assert "exists already" in hub("people", "export", "1", "--out", str(out), code=2).stderr
    assert 'nothing is stored of "+380509998877"' in hub("people", "export", "+380509998877", code=1).stderr


def test_one_person_is_erased_with_a_receipt(hub: Hub, box: Box) -> None:
    for phone in (PHONE, "+380509998877"):
        box.send(form(phone, "Oksana Testova"))
    box.settle()
    dry = hub.json("people", "erase", PHONE, "--dry-run")
    assert (dry["would_erase"]["events"], dry["erased"]) == (1, None)
    assert ["receipts:", "1"] in [
        line.split() for line in hub("people", "erase", PHONE, "--dry-run").stdout.splitlines()
    ]
    assert len(hub.json("explain", PHONE)["events"]) == 1
    told = hub.json("people", "erase", PHONE)
    receipt = told["erased"]
    assert told["vacuumed"] and receipt["persons"] == [1] and receipt["counts"]["receipts"] == 1
    assert hub.json("people", "erasures") == [{**receipt, "genuine": True}]
    listed = hub("people", "erasures").stdout
    assert receipt["digest"] in listed and "receipts: 1, " in listed
    assert hub.json("people", "erase", PHONE) == {"asked": PHONE, "found": False, "erased": None}
    assert "nothing is stored of" in hub("people", "erase", PHONE).stdout
    hub("explain", PHONE, code=1)
    assert len(hub.json("explain", "+380509998877")["events"]) == 1
    [one] = hub.json("explain", "e1")["events"]
    assert (one["state"], one["reason"]["code"], one["record"]) == ("erased", "erased", {})
    assert "r1 was erased" in hub("replay", "r1", code=1).stderr


def test_what_is_erased_says_how_much_in_words(hub: Hub, box: Box) -> None:
    box.send(form(PHONE, "Oksana Testova"))
    box.settle()
    told = hub("people", "erase", PHONE, "--no-vacuum")
    assert "erased:\n" in told.stdout and "receipt 1 of " in told.stdout and "digest " in told.stdout
    assert "until it is rewritten" in told.stderr
