"""`hub init`: a beginning that works, and nothing overwritten."""

from __future__ import annotations

import stat
from pathlib import Path

from click.testing import CliRunner

from hub import recipes
from hub.cli import main


def init(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["init", *args])
    return result.exit_code, result.output


def test_the_smallest_beginning_passes_its_own_check(tmp_path: Path) -> None:
    code, told = init(str(tmp_path / "new"))
    assert code == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"hub.yaml", ".env", ".env.example", ".gitignore"}
    assert "hub check --show" in told and "hub run" in told and "fill in" not in told
    result = CliRunner().invoke(main, ["--config", str(tmp_path / "new" / "hub.yaml"), "check"])
    assert result.exit_code == 0, result.output
    assert "1 connection, 0 routes. Fine." in result.output


def test_secrets_are_for_the_owner_alone(tmp_path: Path) -> None:
    init(str(tmp_path))
    env = tmp_path / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert len(env.read_text().split("SITE_SECRET=")[1].strip()) == 32
    assert (tmp_path / ".env.example").read_text().rstrip().endswith("SITE_SECRET=")
    assert ".env\n" in (tmp_path / ".gitignore").read_text()


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MINE=1\n")
    code, told = init(str(tmp_path))
    assert code == 0 and f"left  {tmp_path / '.env'}" in told
    assert (tmp_path / ".env").read_text() == "MINE=1\n"
    code, told = init(str(tmp_path))
    assert code == 1 and "exists already" in told


def test_a_recipe_names_what_to_fill_in(tmp_path: Path) -> None:
    name = recipes.names()[0]
    code, told = init(str(tmp_path), "--recipe", name)
    assert code == 0
    assert (tmp_path / "hub.yaml").read_text() == recipes.files(name)["hub.yaml"]
    assert "fill in" in told and "B24_" in told
    steps = [line for line in told.splitlines() if "&& hub " in line]
    assert len(steps) == 4
    assert len({line.rindex("  ") for line in steps}) == 1, "what they do stands in one column"


def test_an_unknown_recipe_lists_the_known(tmp_path: Path) -> None:
    code, told = init(str(tmp_path), "--recipe", "dog_form")
    assert code == 2
    assert all(name in told for name in recipes.names()) and 'Did you mean "dog_forms"?' in told
    assert not (tmp_path / "hub.yaml").exists()
