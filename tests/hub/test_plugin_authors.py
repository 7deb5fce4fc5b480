"""The example in docs/plugin-authors.md works as it stands: loaded, driven, and put through the contract."""

import hmac
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import responses

from hub import hookspecs
from hub.errors import Rejected
from hub.model import Action, Receipt, Request
from hub.plugins import Plugins
from hub.testing import build
from hub.testing.contract import HEADINGS, QUALITY_RULES

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "plugin-authors.md"
MOVED = b'{"event_id": 901, "parcel": "LK-1", "status": 30}'


def example(name):
    """Return the code block that follows the mark of this name."""
    found = re.search(rf"<!-- example: {re.escape(name)} -->\n```python\n(.*?)```", GUIDE.read_text(), re.S)
    assert found, f"{GUIDE.name} has no example {name}"
    return found[1]


@pytest.fixture
def lockers(tmp_path):
    (tmp_path / "lockers.py").write_text(example("lockers.py"))
    plugins = Plugins.discover(tmp_path)
    assert [str(broken) for broken in plugins.broken if broken.name == "lockers"] == []
    yield build(plugins.connectors["lockers"], {"api_key": "a-long-api-key"})
    plugins.close()


def test_it_takes_a_message(lockers):
    signature = hmac.digest(b"a-long-api-key", MOVED, "sha256").hex()
    request = Request("POST", "/in/lockers", headers={"x-signature": signature}, body=MOVED)
    lockers.verify(request)
    [event] = lockers.parse(Receipt(1, "lockers", lockers.receipt_key(request), request, request.at))
    assert (event.type, event.subject, event.key) == ("parcel.status_changed", "parcel:LK-1", "901")
    assert event.record["parcel"]["status"] == "arrived"
    with pytest.raises(Rejected):
        lockers.verify(Request("POST", "/in/lockers", body=MOVED))


def test_it_acts(lockers):
    with responses.RequestsMock() as api:
        api.post("https://api.lockers.example/parcels", json={"number": "LK-2"})
        api.get("https://api.lockers.example/parcels", json={"rows": [{"number": "LK-2"}]})
        action = Action("parcel.create", "parcel", "create", {"phone": "+380671234567", "locker": "7"}, marker="h-1")
        assert lockers.perform(action).id == "LK-2"
        assert json.loads(api.calls[0].request.body)["ref"] == "h-1"
        assert lockers.find("parcel", {"marker": "h-1"}) == [{"id": "LK-2", "number": "LK-2"}]


def test_its_contract_test_passes(tmp_path):
    (tmp_path / "lockers.py").write_text(example("lockers.py"))
    (tmp_path / "test_lockers.py").write_text(example("test_lockers.py"))
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "moved.webhook.json").write_bytes(MOVED)
    (tmp_path / "README.md").write_text("".join(f"## {head}\n" for head in HEADINGS))
    (tmp_path / "quality.yaml").write_text("".join(f"{rule}: done\n" for rule in QUALITY_RULES))
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert "skipped" not in ran.stdout


def test_the_guide_names_every_method_and_error():
    guide = GUIDE.read_text()
    for word in (
        "handshake",
        "verify",
        "receipt_key",
        "acknowledge",
        "parse",
        "complete",
        "poll",
        "find",
        "get",
        "perform",
    ):
        assert f"`{word}(" in guide, word
    for word in ("Rejected", "Retry", "RateLimited", "Uncertain", "AuthFailed", "Refused", "Gone", "Skip"):
        assert f"`{word}(" in guide, word
    hooks = [name for name in vars(hookspecs) if name.startswith("hub_")]
    assert hooks
    for name in hooks:
        assert f"`{name}(" in guide, name
