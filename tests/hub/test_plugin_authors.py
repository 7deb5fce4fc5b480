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
HUB = str(Path(sys.executable).parent / "hub")
GUIDE = ROOT / "docs" / "plugin-authors.md"
MOVED = b'{"event_id": 901, "parcel": "LK-1", "status": 30}'


def example(name):
    """Return the code block that follows the mark of this name."""
    found = re.search(rf"<!-- example: {re.escape(name)} -->\n```\w+\n(.*?)```", GUIDE.read_text(), re.S)
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
    (tmp_path / "quality.yaml").write_text("".join(f"{rule}: {{todo: nobody looked yet}}\n" for rule in QUALITY_RULES))
    pytest_in(tmp_path)


def pytest_in(folder):
    """Run the tests in a folder in a process of their own."""
    path = os.pathsep.join([str(ROOT), str(folder)])
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert "skipped" not in ran.stdout


def put_in(file, begins, ends, text):
    """Replace what stands in a file from one line on, up to another, as the page says."""
    old = file.read_text()
    start = old.index(begins)
    stop = old.index(ends, start) if ends else len(old)
    file.write_text(old[:start] + text + old[stop:])


def test_the_page_is_followed_step_by_step(tmp_path, monkeypatch):
    """A newcomer's quarter of an hour: each step of the page does what the page says."""
    monkeypatch.chdir(tmp_path)
    for name in ("HUB_CONFIG", "HUB_DATA", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def hub(*words):
        ran = subprocess.run([HUB, *words], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    (tmp_path / "their").mkdir()
    for name in ("their/moved.json", "their/paid.json"):
        (tmp_path / name).write_text(example(name))
    hub("init")
    told = hub("plugins", "new", "lockers", "--samples", "their")
    for guessed in ("event", "event_id", "parcel.number", "client.phone", "client.full_name", "at"):
        assert f" {guessed}\n" in told
    told = hub("try", "lockers", "their/moved.json", "--unsigned")
    assert "parcel.status_changed parcel:LK-1" in told and "+380671234567" in told and "parcel.status unknown" in told

    plugin = tmp_path / "plugins" / "lockers"
    events, statuses = example("codes.py").split("STATUSES", 1)
    put_in(plugin / "codes.py", "EVENTS: Mapping", "DEFAULT_EVENT", events)
    put_in(plugin / "codes.py", "STATUSES: Mapping", "\n#: how they send", f"STATUSES{statuses}")
    assert "parcel.status arrived" in hub("try", "lockers", "their/moved.json", "--unsigned")

    put_in(plugin / "incoming.py", "def verify(", "\n\ndef receipt_key", example("verify"))
    tests = plugin / "tests" / "test_lockers.py"
    put_in(tests, "    def deliver(", "", example("deliver").partition("as they are\n")[2])
    put_in(tests, "from dataclasses", "from dataclasses", "import hmac\n")
    pytest_in(plugin)

    config = tmp_path / "hub.yaml"
    route = re.search(r"\*\*6\. Use it.*?```yaml\nroutes:\n(.*?)```", GUIDE.read_text(), re.S)[1]
    crm = """  crm:
    plugin: bitrix24
    webhook_url: https://p.bitrix24.ru/rest/1/secret/
    application_token: token-token
    names: {stages: {at_branch: "C5:A", won: "C5:WON"}}"""
    text = config.read_text().replace("connections:", f"connections:\n{crm}", 1)
    config.write_text(text.replace("routes: []", f"routes:\n{route}"))
    hub("check")
    body = (tmp_path / "their" / "moved.json").read_bytes()
    [secret] = re.findall(r"^LOCKERS_SECRET=(\w+)$", (tmp_path / ".env").read_text(), re.M)
    signature = hmac.digest(secret.encode(), body, "sha256").hex()
    told = hub("try", "lockers", "their/moved.json", "--header", f"X-Signature: {signature}")
    assert "genuine" in told and "crm.deal.set_stage" in told
    assert "lockers none" in hub("plugins", "quality", "lockers")


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
