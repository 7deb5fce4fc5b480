"""Signatures: Standard Webhooks and the simpler manners of senders that don't know it.

Standard Webhooks sign `<id>.<timestamp>.<body>` with HMAC-SHA256 (the specification's "Signature scheme"). The library
`standardwebhooks` signs what goes out. It doesn't check what comes in: it takes the time from the wall clock, while
a stored request is judged by the time it arrived; its tolerance is fixed; and it wants the body to be UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

from standardwebhooks.webhooks import Webhook

from hub.errors import Rejected
from hub.model import Request

PREFIX = "whsec_"
_SHORTEST = 16


def keys_of(secret: str) -> list[bytes]:
    """Return the keys a secret may stand for, the likeliest first.

    `whsec_` is followed by base64. Without it the text is taken both for base64, as most libraries do, and as it is.
    Raises ValueError if `whsec_` is followed by anything else.
    """
    decoded = _base64(secret.removeprefix(PREFIX))
    if secret.startswith(PREFIX):
        if not decoded:
            raise ValueError(f"after {PREFIX} a secret is base64; this one isn't")
        return [decoded]
    plain = secret.encode()
    return [decoded, plain] if decoded and len(decoded) >= _SHORTEST else [plain]


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def sign(secret: str, message: str, at: dt.datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of Standard Webhooks. `message` is the id that stays the same when it is sent again."""
    timestamp = at.astimezone(dt.UTC).replace(microsecond=0)
    signature = Webhook(keys_of(secret)[0]).sign(message, timestamp, body.decode())
    return {
        "Webhook-Id": message,
        "Webhook-Timestamp": str(int(timestamp.timestamp())),
        "Webhook-Signature": signature,
    }


def verify_standard(request: Request, secrets: Iterable[str], tolerance: int) -> None:
    """Raise `Rejected` 401 unless one of the secrets signed the message, not longer ago than `tolerance` seconds."""
    message = request.headers.get("webhook-id", "")
    timestamp = request.headers.get("webhook-timestamp", "")
    signatures = request.headers.get("webhook-signature", "")
    if not (message and timestamp and signatures):
        raise Rejected(401, "headers webhook-id, webhook-timestamp and webhook-signature are needed")
    if not re.fullmatch(r"\d{1,12}", timestamp):
        raise Rejected(401, "webhook-timestamp is no number of seconds")
    age = request.at.timestamp() - int(timestamp)
    if abs(age) > tolerance:
        raise Rejected(
            401, f"the message is {abs(age):.0f} s {'old' if age > 0 else 'ahead of us'}; {tolerance} s are allowed"
        )
    signed = f"{message}.{timestamp}.".encode() + request.body
    given = [
        _base64(value)
        for version, _, value in (part.partition(",") for part in signatures.split()[:20])
        if version == "v1"
    ]
    expected = [hmac.digest(key, signed, "sha256") for secret in secrets for key in keys_of(secret)]
    if not _any_equal(given, expected):
        raise Rejected(401, "no signature fits: was it made with another secret, or the body changed on its way?")


def verify_hmac(request: Request, secrets: Iterable[str], header: str, algorithm: str, encoding: str) -> None:
    """Raise `Rejected` 401 unless the header holds the body's HMAC (`sha256=` and the like may stand before it)."""
    value = request.headers.get(header.lower(), "").strip()
    if not value:
        raise Rejected(401, f"the header {header} is missing")
    value = re.sub(r"^(sha\d+|v1)[=,]", "", value, flags=re.IGNORECASE)
    try:
        given = bytes.fromhex(value) if encoding == "hex" else _base64(value)
    except ValueError:
        given = b""
    expected = [hmac.digest(key, request.body, getattr(hashlib, algorithm)) for key in _plain_keys(secrets)]
    if not _any_equal([given], expected):
        raise Rejected(401, f"the signature in {header} does not fit")


def verify_secret(given: str, secrets: Iterable[str], where: str) -> None:
    """Raise `Rejected` 401 unless the text is one of the secrets."""
    if not given:
        raise Rejected(401, f"no secret in the {where}")
    if not _any_equal([given.encode()], [secret.encode() for secret in secrets]):
        raise Rejected(401, f"wrong secret in the {where}")


def bearer(headers: Mapping[str, str], header: str) -> str:
    """Return the value of a header, without the word Bearer."""
    return re.sub(r"^bearer ", "", headers.get(header.lower(), "").strip(), flags=re.IGNORECASE).strip()


def _plain_keys(secrets: Iterable[str]) -> list[bytes]:
    return [key for secret in secrets for key in {secret.encode(), *_quiet(secret)}]


def _quiet(secret: str) -> list[bytes]:
    return keys_of(secret) if secret.startswith(PREFIX) and _base64(secret.removeprefix(PREFIX)) else []


def _any_equal(given: list[bytes], expected: list[bytes]) -> bool:
    """Compare each with each without stopping at the first hit."""
    return any([hmac.compare_digest(one, other) for one in given for other in expected])
