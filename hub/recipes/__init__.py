"""Ready configurations to begin with: `hub init --recipe NAME` copies one."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def names() -> list[str]:
    """Return the names of all recipes."""
    return sorted(file.stem for file in _HERE.glob("*.yaml"))


def files(name: str) -> dict[str, str]:
    """Return what a recipe puts into a folder: file name -> text. `KeyError` when there is none of that name."""
    if name not in names():
        raise KeyError(name)
    beside = sorted(file for file in (_HERE / name).rglob("*") if file.is_file())
    return {
        "hub.yaml": (_HERE / f"{name}.yaml").read_text(encoding="utf-8"),
        ".env.example": (_HERE / f"{name}.env.example").read_text(encoding="utf-8"),
        **{file.relative_to(_HERE / name).as_posix(): file.read_text(encoding="utf-8") for file in beside},
    }
