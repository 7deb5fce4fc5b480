"""`hub plugins new` as a newcomer meets it: the plugin works at once, and nothing else is touched."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from hub.cli import main
from hub.scaffold import entry
from hub.scaffold.samples import choose
from hub.testing import load_plugin

ROOT = Path(__file__).parents[3]
#: those that send messages
VENDORS = sorted(path.parent.name for path in (ROOT / "tests" / "plugins").glob("*/samples") if choose(path)[0])
FILES = {
    "__init__.py", "connector.py", "client.py", "codes.py", "incoming.py", "outgoing.py", "sandbox.py", "schemas.py",
    "README.md", "quality.yaml", "tests",
}  # fmt: skip

#: samples of each vendor whose plugin is put through the contract
MOST = 3

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run commands in an empty folder."""
    for name in ("DATABASE_URL", "REDIS_URL", "HUB_CONFIG", "HUB_DATA", "HUB_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*args: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(args), env={"HUB_DEBUG": ""})
        assert result.exit_code == code, result.output
        return result

    return run


def samples_of(vendor: str) -> Path:
    return ROOT / "tests" / "plugins" / vendor / "samples"


def pytest_in(folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=540,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert "skipped" not in ran.stdout


def test_without_samples_the_smallest_plugin(run: Run, tmp_path: Path) -> None:
    run("init")
    told = run("plugins", "new", "lockers").output
    folder = tmp_path / "plugins" / "lockers"
    assert {path.name for path in folder.iterdir()} == FILES
    assert "one invented message" in told
    assert "invented" in (folder / "tests" / "samples" / "SOURCES.md").read_text()
    assert [line.split()[:2] for line in run("plugins", "list").output.splitlines() if "lockers" in line] == [
        ["lockers", "ok"]
    ]
    readme = (folder / "README.md").read_text()
    _, _, route = readme.partition("```yaml\nroutes:\n")
    config = tmp_path / "hub.yaml"
    config.write_text(config.read_text().replace("routes: []", "routes:\n" + route.partition("```")[0]))
    assert "2 connections, 1 route. Fine" in run("check").output
    sample = "plugins/lockers/tests/samples/invented.webhook.json"
    tried = run("try", "lockers", sample, "--unsigned").output
    assert "order.created order:1001" in tried
    assert "contact.phone +380671234567" in tried
    assert "401" in run("try", "lockers", sample).output, "without its secret it is turned away"
    pytest_in(folder)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_plugin_from_all_of_a_vendors_samples_reads_each(run: Run, tmp_path: Path, vendor: str) -> None:
    run("init")
    fresh = f"fresh_{vendor}"
    run("plugins", "new", fresh, "--samples", str(samples_of(vendor)))
    folder = tmp_path / "plugins" / fresh
    kept = [path for path in (folder / "tests" / "samples").iterdir() if path.name != "SOURCES.md"]
    assert kept
    for path in kept:
        told = run("try", fresh, str(path.relative_to(tmp_path)), "--unsigned").output
        assert re.search(r"^(vendor|[a-z]+)\.\S+ [a-z]+:\S", told, re.M), told


@pytest.mark.parametrize("vendor", VENDORS)
def test_from_a_vendors_samples_it_passes_its_tests(run: Run, tmp_path: Path, vendor: str) -> None:
    """Some of the samples will do here: each costs its thousands of broken messages."""
    messages = [one.path for one in choose(samples_of(vendor))[0]]
    (tmp_path / "their").mkdir()
    for path in messages[:: math.ceil(len(messages) / MOST)]:
        shutil.copy(path, tmp_path / "their" / path.name)
    run("plugins", "new", f"some_{vendor}", "--samples", "their")
    pytest_in(tmp_path / "plugins" / f"some_{vendor}")


def test_its_code_is_as_we_write_it(run: Run, tmp_path: Path) -> None:
    run("plugins", "new", "two_words", "--samples", str(ROOT / "tests" / "plugins" / "bitrix24" / "samples"))
    ruff = [str(Path(sys.executable).parent / "ruff")]
    config = ["--config", str(ROOT / "ruff.toml"), "--no-cache", "plugins"]
    for words in (["check", "--ignore", "S105,S106,I001"], ["format", "--check"]):
        ran = subprocess.run([*ruff, *words, *config], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_its_quality_is_honest(run: Run) -> None:
    run("init")
    run("plugins", "new", "lockers")
    told = run("plugins", "quality", "lockers").output
    assert told.startswith("lockers none")
    assert "unanswered" not in told and "disproven" not in told
    for rule in ("live", "once", "readme", "client", "codes"):
        assert f" ✗ {rule} " in told


def test_a_signature_that_nobody_checks_is_no_verification(run: Run, tmp_path: Path) -> None:
    (tmp_path / "raw.http").write_text('POST /x HTTP/1.1\nX-Signature: 00\nContent-Type: application/json\n\n{"id": 1}')
    run("plugins", "new", "lockers", "--samples", ".")
    answers = yaml.safe_load((tmp_path / "plugins" / "lockers" / "quality.yaml").read_text())
    assert "x-signature" in answers["verification"]["todo"]
    assert "x-signature" in (tmp_path / "plugins" / "lockers" / "README.md").read_text()


def test_samples_that_say_the_same_are_taken_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.json", "b.json"):
        (tmp_path / "in" / name).write_text('{"id": 1, "event": "order_created"}')
    assert "b.json: says the same as a.json" in run("plugins", "new", "lockers", "--samples", "in").output


# --- what it refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Lockers", "9lives", "a-b", "../evil", "form"])
def test_names_that_can_not_be(run: Run, tmp_path: Path, name: str) -> None:
    run("plugins", "new", name, code=2)
    assert not (tmp_path / "plugins").exists()


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plugins" / "lockers").mkdir(parents=True)
    assert "left as it is" in run("plugins", "new", "lockers", code=1).output
    assert list((tmp_path / "plugins" / "lockers").iterdir()) == []


def test_a_folder_without_messages(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert "holds no .json" in run("plugins", "new", "lockers", "--samples", "in", code=2).output
    (tmp_path / "in" / "a.json").write_text("nonsense")
    assert "a.json: can't be read" in run("plugins", "new", "lockers", "--samples", "in", code=2).output
    assert not (tmp_path / "plugins" / "lockers").exists()


# --- hub.yaml ----------------------------------------------------------------------------------------


def test_every_line_of_hub_yaml_stays(run: Run, tmp_path: Path) -> None:
    run("init")
    before = (tmp_path / "hub.yaml").read_text().splitlines()
    run("plugins", "new", "lockers")
    after = (tmp_path / "hub.yaml").read_text().splitlines()
    added = [line for line in after if line not in before]
    assert added == ["  plugins_dir: plugins", "  lockers:", "    plugin: lockers", '    secret: "${LOCKERS_SECRET}"']
    assert [line for line in after if line in before] == before
    assert len((tmp_path / ".env").read_text().partition("LOCKERS_SECRET=")[2].strip()) == 32


def test_files_alone(run: Run, tmp_path: Path) -> None:
    run("init")
    before = (tmp_path / "hub.yaml").read_text(), (tmp_path / ".env").read_text()
    assert "put into hub.yaml" in run("plugins", "new", "lockers", "--only-files").output
    assert before == ((tmp_path / "hub.yaml").read_text(), (tmp_path / ".env").read_text())


def test_without_hub_yaml_it_says_what_to_write(run: Run) -> None:
    told = run("plugins", "new", "lockers").output
    assert "hub init" in told and "plugins_dir: plugins" in told


def test_a_plugins_dir_that_is_there_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text("hub:\n  plugins_dir: ours\nconnections:\n  site: {plugin: form, secret: x}\n")
    (tmp_path / "ours").mkdir()
    run("plugins", "new", "lockers")
    assert (tmp_path / "ours" / "lockers" / "connector.py").is_file()
    assert (tmp_path / "hub.yaml").read_text().count("plugins_dir") == 1


@pytest.mark.parametrize(
    "text",
    [
        "hub: {base_url: x}\nconnections: {}\n", "connections:\n  a: {plugin: form}\n", "- 1\n", "hub: [\n", "",
        "hub:\n  base_url: x\nconnections:\n  lockers: {plugin: form}\n",
        "hub: &h\n  base_url: x\nconnections:\n  a: {plugin: form}\n",
    ],
)  # fmt: skip
def test_where_it_is_unsure_it_leaves_the_file_alone(tmp_path: Path, text: str) -> None:
    config = tmp_path / "hub.yaml"
    config.write_text(text)
    assert not entry.add(config, "lockers", tmp_path / "plugins", {"secret": "x"})
    assert config.read_text() == text


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    assert entry.add_secret(env, "A_SECRET")
    assert env.stat().st_mode & 0o777 == 0o600
    made = env.read_text()
    assert not entry.add_secret(env, "A_SECRET")
    assert env.read_text() == made


# --- loading -----------------------------------------------------------------------------------------


def test_a_plugin_is_loaded_by_its_folder_alone(run: Run, tmp_path: Path) -> None:
    run("plugins", "new", "json")
    plugin = load_plugin(tmp_path / "plugins" / "json")
    assert [one.name for one in plugin.hub_connectors()] == ["json"]
    assert load_plugin(tmp_path / "plugins" / "json", "sandbox").JsonSandbox.vendor == "json"
    with pytest.raises((ImportError, FileNotFoundError)):
        load_plugin(tmp_path / "plugins")
