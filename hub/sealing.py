"""Raw requests at rest: sealed, since a vendor may put a token into a body."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import ConfigError

_VERSION = b"\x01"


class Sealer:
    """Seals bytes with a key derived from the installation's; AES-GCM, 29 bytes longer than what went in."""

    def __init__(self, key: bytes) -> None:
        derived = hashlib.blake2b(key, digest_size=32, person=b"hub-receipts").digest()
        self._cipher = AESGCM(derived)
        #: tells two keys apart without giving either away
        self.fingerprint = hashlib.blake2b(derived, digest_size=8, person=b"fingerprint").hexdigest()

    def seal(self, plain: bytes) -> bytes:
        """Return the sealed bytes."""
        nonce = os.urandom(12)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, None)

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed; ConfigError if it was sealed with another key."""
        try:
            return self._cipher.decrypt(sealed[1:13], sealed[13:], None)
        except InvalidTag:
            raise ConfigError(
                ["the stored requests were sealed with another key: HUB_SECRET_KEY or data/secret.key has changed"]
            ) from None
