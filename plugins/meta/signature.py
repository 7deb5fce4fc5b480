"""Is a webhook genuine? The handshake with a token of ours, and the HMAC over the raw body. Pure.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

from hub.errors import Rejected
from hub.model import Reply, Request

HEADER = "x-hub-signature-256"
_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})")
_CHALLENGE = re.compile(r"\w{1,200}")


def handshake(request: Request, verify_token: str) -> Reply | None:
    """Answer the check Meta makes when the address is saved; None if this is no such check.

    Raises `Rejected` 403 if its token isn't ours. The challenge goes back as plain text and only if it can be nothing
    else: it is a stranger's text.
    """
    mode = request.query_value("hub.mode")
    if request.method != "GET" or mode is None:
        return None
    given = request.query_value("hub.verify_token") or ""
    if not verify_token or not hmac.compare_digest(given.encode(), verify_token.encode()):
        raise Rejected(
            403, "hub.verify_token isn't the verify_token of this connection: copy it into the App Dashboard"
        )
    challenge = request.query_value("hub.challenge") or ""
    if mode != "subscribe" or not _CHALLENGE.fullmatch(challenge):
        raise Rejected(400, "the handshake has no hub.challenge")
    return Reply(200, challenge, headers={"X-Content-Type-Options": "nosniff"})


def verify(request: Request, secrets: Iterable[str]) -> None:
    """Raise `Rejected` unless one of the app secrets signed exactly these bytes.

    Meta signs the body as it stands on the wire, where non-ASCII is escaped and `/` is `\\/`; a body that was parsed
    and written anew has another signature. Several secrets may count: which of its two an app signs with is not
    documented.
    """
    if request.method != "POST":
        raise Rejected(405, "Meta sends its webhooks by POST")
    found = _SIGNATURE.fullmatch(request.headers.get(HEADER, "").strip())
    if found is None:
        raise Rejected(401, "there is no X-Hub-Signature-256 of the form sha256=<64 hex digits>")
    given = found[1].lower().encode()
    fits = [hmac.compare_digest(given, digest(secret, request.body).encode()) for secret in secrets if secret]
    if not any(fits):
        raise Rejected(
            401, "the signature fits none of app_secret: was the app's secret changed, or is it another app's?"
        )


def digest(secret: str, body: bytes) -> str:
    """Return the hex HMAC-SHA256 of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def receipt_key(request: Request) -> str:
    """Return a hash of the body: a retry has the same bytes; one that was batched anew is known by its events' keys."""
    return "body:" + hashlib.sha256(request.body).hexdigest()[:40]
