"""The installation's key: it encrypts credentials and raw requests, and signs short-lived states."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from hub.errors import ConfigError


def load_key(folder: Path, environ: Mapping[str, str]) -> bytes:
    """Return the key that encrypts credentials: `HUB_SECRET_KEY`, else the file `secret.key` made at first use."""
    if given := environ.get("HUB_SECRET_KEY"):
        return _checked(given.strip().encode(), "HUB_SECRET_KEY")
    path = folder / "secret.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        with fresh.open("wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())  # what is sealed with it must not outlive it
        try:
            path.hardlink_to(fresh)  # the first of several starting processes wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        _sync(folder)
    return _checked(path.read_bytes().strip(), f"the file {path}")


def _sync(folder: Path) -> None:
    """See to it that the file's name is on disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked(key: bytes, where: str) -> bytes:
    """Return the key; ConfigError unless it can be one, at the start rather than with the first request."""
    try:
        Fernet(key)
    except ValueError:
        raise ConfigError(
            [f"{where} is no key: 32 random bytes as text. Make one: openssl rand -base64 32 | tr '+/' '-_'"]
        ) from None
    return key
