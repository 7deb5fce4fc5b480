"""Raw requests at rest: sealed, since a vendor may put a token into a body."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import ConfigError

_VERSION = b"\x01"
#: nonces drawn in one call of the system: it costs as much for one as for a hundred
_DRAWN = 256


class Sealer:
    """Seals bytes with a key derived from the installation's; AES-GCM, 29 bytes longer than what went in."""

    def __init__(self, key: bytes) -> None:
        derived = hashlib.blake2b(key, digest_size=32, person=b"hub-receipts").digest()
        self._cipher = AESGCM(derived)
        self._nonces: list[bytes] = []
        self._pid = 0
        self._digest_key = derived
        #: tells two keys apart without giving either away
        self.fingerprint = hashlib.blake2b(derived, digest_size=8, person=b"fingerprint").hexdigest()

    def seal(self, plain: bytes) -> bytes:
        """Return the sealed bytes."""
        nonce = self._nonce()
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, None)

    def _nonce(self) -> bytes:
        """Return twelve random bytes; drawn many at a time, and never from what a parent process drew."""
        try:
            if self._pid == os.getpid():
                return self._nonces.pop()  # a list's pop is atomic: no two threads get the same
        except IndexError:
            pass
        drawn = os.urandom(12 * _DRAWN)
        self._pid, self._nonces = os.getpid(), [drawn[at : at + 12] for at in range(0, len(drawn), 12)]
        return self._nonces.pop()

    def digest(self, text: str) -> str:
        """Return a digest of a text that nobody without the key can make or try out (32 hexadecimal digits)."""
        return hashlib.blake2b(text.encode(), key=self._digest_key, digest_size=16, person=b"hub-digest").hexdigest()

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed; ConfigError if it was sealed with another key."""
        try:
            return self._cipher.decrypt(sealed[1:13], sealed[13:], None)
        except InvalidTag:
            raise ConfigError(
                ["the stored requests were sealed with another key: HUB_SECRET_KEY or data/secret.key has changed"]
            ) from None
