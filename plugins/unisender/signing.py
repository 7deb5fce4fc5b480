"""Is a webhook genuine? Both products sign alike: MD5 over the raw body with the key in the place of `auth`.

https://www.unisender.com/en/support/api/common/sistema-uvedomlenij-o-sobytiyah-webhooks/ and
https://docs.unione.io/en/web-api-notifications. The body is taken as it came: parsed and written again it would have
other bytes (the vendor writes `/` as `\\/`). MD5 is not much, so an unguessable end of the address goes with it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from collections.abc import Iterable
from typing import Any

from hub import jsonbody
from hub.errors import Rejected
from hub.model import Request

_AUTH = re.compile(r"[0-9a-f]{32}")
#: largest body after inflation, and most members in it: a big campaign tells hundreds of events in one request
MAX_BODY = 2_000_000
MAX_KEYS = 40_000


def verify(request: Request, keys: Iterable[str], secret: str) -> None:
    """Raise `Rejected` unless the request was signed with one of these keys, at the address we gave the vendor."""
    if request.method != "POST":
        raise Rejected(405, "an event is sent by POST")
    check_address(request, secret)
    auth = read(request).get("auth")
    if not isinstance(auth, str) or not _AUTH.fullmatch(auth):
        raise Rejected(401, "no signature: `auth` is missing or no MD5")
    body = raw(request)
    if not any([hmac.compare_digest(signature(body, auth, key).encode(), auth.encode()) for key in keys]):
        raise Rejected(
            401, "the signature doesn't fit: is api_key that of the account (in Go: the project) that owns the webhook?"
        )


def check_address(request: Request, secret: str) -> None:
    """Raise `Rejected` unless the address ends with the setting `secret`, where there is one."""
    if secret and not hmac.compare_digest(request.tail.encode("utf-8", "replace"), secret.encode()):
        raise Rejected(401, "the address doesn't end with the secret of hub.yaml: run `hub connect` again")


def signature(body: bytes, auth: str, key: str) -> str:
    """Return the MD5 that `auth` must have."""
    signed = body.replace(auth.encode(), key.encode(), 1)
    return hashlib.md5(signed, usedforsecurity=False).hexdigest()


def raw(request: Request) -> bytes:
    """Return the body's bytes, inflated where the hook was registered with a compressed format.

    That the signature covers the inflated text is not confirmed; there is nothing else it could cover.
    """
    if not request.body.startswith(b"\x1f\x8b"):
        return request.body
    inflate = zlib.decompressobj(wbits=31)
    try:
        body = inflate.decompress(request.body, MAX_BODY + 1)
    except zlib.error:
        raise Rejected(400, "the body looks compressed and can't be inflated") from None
    if len(body) > MAX_BODY:
        raise Rejected(413, f"larger than {MAX_BODY} bytes after inflation")
    return body


def read(request: Request) -> dict[str, Any]:
    """Return the body as an object."""
    body = jsonbody.loads(raw(request), max_keys=MAX_KEYS)
    if not isinstance(body, dict):
        raise Rejected(400, "the body is no JSON object")
    return body


def export_token(key: str) -> str:
    """Return the end of the address that the answer to an export comes to; nobody without the key can make it."""
    return "export-" + hmac.digest(key.encode(), b"hub export", "sha256").hex()[:32]
