"""A new plugin's place in hub.yaml and .env: added as text, so that every comment stays; left alone where unsure."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def add(config: Path, name: str, folder: Path, settings: Mapping[str, str]) -> bool:
    """Let hub.yaml name `folder` as its plugins_dir and have a connection `name`; return whether it could be done.

    The file is written only if it then says what it said before and these two things more.
    """
    if not config.is_file():
        return False
    before = config.read_text("utf-8")
    text, old = before, _load(before)
    if not isinstance(old, dict):
        return False
    inside = os.path.relpath(folder, config.absolute().parent)
    hub, connections = old.get("hub"), old.get("connections")
    if not isinstance(hub, dict) or not isinstance(connections, dict) or name in connections:
        return False
    if "plugins_dir" not in hub:
        text = _insert(text, "hub", [f"plugins_dir: {inside}"])
    block = [f"{name}:", *(f"  {key}: {value}" for key, value in {"plugin": name, **settings}.items())]
    text = _insert(text, "connections", block)
    wanted = {
        **old,
        "hub": {"plugins_dir": inside, **hub},
        "connections": {**connections, name: _load("\n".join(block))[name]},
    }
    if _load(text) != wanted:
        return False
    config.write_text(text, "utf-8")
    return True


def add_secret(env: Path, name: str) -> bool:
    """Give a variable a random value in `.env`; return False if it is there already."""
    text = env.read_text("utf-8") if env.is_file() else ""
    if re.search(rf"^{name}=", text, re.M):
        return False
    if not env.exists():
        env.touch(mode=0o600)
    env.write_text(
        text + ("" if text.endswith("\n") or not text else "\n") + f"{name}={secrets.token_hex(16)}\n", "utf-8"
    )
    return True


def _load(text: str) -> Any:
    """Return the YAML as the hub reads it: every scalar a text; None if it can't be read."""
    try:
        return yaml.load(text, yaml.BaseLoader)  # noqa: S506 (the base loader makes texts, lists and mappings alone)
    except yaml.YAMLError:
        return None


def _insert(text: str, section: str, block: list[str]) -> str:
    """Return the text with lines put first into a section, indented as the section is."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if re.fullmatch(rf"{section}:\s*(#.*)?", line.rstrip("\n")):
            inner = next((one for one in lines[number + 1 :] if one.strip() and not one.strip().startswith("#")), "")
            indent = re.match(r" *", inner)[0] or "  "  # type: ignore[index]
            lines[number + 1 : number + 1] = [f"{indent}{one}\n" for one in block]
            return "".join(lines)
    return text
