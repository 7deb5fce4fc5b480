"""The installation's key, and what it seals."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigError
from hub.keys import load_key
from hub.sealing import Sealer


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    key = load_key(folder, {})
    assert load_key(folder, {}) == key
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["secret.key"]
    Fernet(key)


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from hub.keys import load_key; print('ready', flush=True); sys.stdin.readline();"
        "print(load_key(pathlib.Path(sys.argv[1]), {}).decode())"
    )
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for one in starting:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    for one in starting:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert len({one.communicate()[0] for one in starting}) == 1
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["secret.key"]


def test_a_key_from_the_environment_counts_first_and_leaves_no_file(tmp_path: Path) -> None:
    given_key = Fernet.generate_key().decode()
    assert load_key(tmp_path / "data", {"HUB_SECRET_KEY": f" {given_key}\n"}) == given_key.encode()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("bad", ["hunter2", "ключ", "a" * 43, base64.urlsafe_b64encode(b"x" * 16).decode()])
def test_a_key_that_is_none_is_said_at_once_with_how_to_make_one(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ConfigError, match=r"HUB_SECRET_KEY is no key.*openssl"):
        load_key(tmp_path, {"HUB_SECRET_KEY": bad})
    (tmp_path / "secret.key").write_text(bad)
    with pytest.raises(ConfigError, match=r"secret\.key is no key"):
        load_key(tmp_path, {})


def test_a_key_file_put_back_with_an_editor_is_the_same_key(tmp_path: Path) -> None:
    key = load_key(tmp_path, {})
    (tmp_path / "secret.key").write_bytes(key + b"\r\n")
    assert load_key(tmp_path, {}) == key


@given(st.binary(max_size=200))
def test_what_was_sealed_comes_back_whole(plain: bytes) -> None:
    sealer = Sealer(b"key one")
    sealed = sealer.seal(plain)
    assert len(sealed) == len(plain) + 29
    assert sealer.open(sealed) == plain


def test_the_same_request_is_sealed_differently_each_time() -> None:
    sealer = Sealer(b"key one")
    assert len({sealer.seal(b"the same") for _ in range(50)}) == 50


def test_another_key_opens_nothing_and_says_what_has_changed() -> None:
    sealed = Sealer(b"key one").seal(b"text")
    with pytest.raises(ConfigError, match="sealed with another key"):
        Sealer(b"key two").open(sealed)
    assert Sealer(b"key one").fingerprint != Sealer(b"key two").fingerprint


@pytest.mark.parametrize("place", [0, 1, 12, 13, 20, -1])
def test_a_single_changed_byte_is_noticed_or_carries_no_meaning(place: int) -> None:
    sealer = Sealer(b"key one")
    sealed = bytearray(sealer.seal(b"pay 100"))
    sealed[place] ^= 1
    if place == 0:  # the version
        assert sealer.open(bytes(sealed)) == b"pay 100"
        return
    with pytest.raises((ConfigError, InvalidTag)):
        sealer.open(bytes(sealed))


def test_the_fingerprint_gives_the_key_away_to_nobody() -> None:
    key = os.urandom(32)
    assert key.hex() not in Sealer(key).fingerprint and len(Sealer(key).fingerprint) == 16
