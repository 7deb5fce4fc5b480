"""The installation's key: it encrypts credentials and raw requests, and signs short-lived states."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from hub.errors import ConfigError


def load_key(folder: Path, environ: Mapping[str, str]) -> bytes:
    """Return the key that encrypts credentials: `HUB_SECRET_KEY`, else the file `secret.key` made at first use."""
    if given := environ.get("HUB_SECRET_KEY"):
        return _checked(given.strip().encode())
    path = folder / "secret.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(Fernet.generate_key())
        try:
            path.hardlink_to(fresh)  # the first of several starting processes wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def _checked(key: bytes) -> bytes:
    """Return the key; ConfigError unless it can be one, at the start rather than with the first request."""
    try:
        Fernet(key)
    except ValueError:
        raise ConfigError(
            ["HUB_SECRET_KEY is no key: 32 random bytes as text. Make one: openssl rand -base64 32 | tr '+/' '-_'"]
        ) from None
    return key
