"""A vendor's no becomes one of the hub's errors. Pure: status and code decide, never the (localised) text.

https://apidocs.bitrix24.ru/settings/how-to-call-rest-api/error-codes.html
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Retry, Uncertain
from plugins.bitrix24 import codes

_TAG = re.compile(r"<[^>]+>")
#: seconds to wait after QUERY_LIMIT_EXCEEDED: the bucket drains two calls a second
SLOWER = 1.5
#: `Refused.vendor_code` where the vendor sent an empty one, as the older methods do
NO_CODE = "none"
#: seconds to wait for a method whose reset time is unknown
METHOD_PAUSE = 60.0


class Expired(HubError):
    """The access token has run out: refresh it and repeat the call once. Never leaves the client."""

    code = "expired"


def code_of(body: Any) -> str:
    """Return the error code in lower case; older methods send "" or a number."""
    if not isinstance(body, Mapping):
        return ""
    error = body.get("error")
    if isinstance(error, Mapping):
        error = error.get("code")
    return str(error if error is not None else "").strip().lower()


def is_error(body: Any) -> bool:
    """Tell an error body, which may come with HTTP 200 from the authorization server."""
    return isinstance(body, Mapping) and "error" in body and "result" not in body


def words_of(body: Any) -> str:
    """Return the vendor's description for people: no tags, no entities, at most 300 characters."""
    if not isinstance(body, Mapping):
        return ""
    error = body.get("error")
    text = body.get("error_description") or (error.get("message") if isinstance(error, Mapping) else "") or ""
    return " ".join(html.unescape(_TAG.sub(" ", str(text))).split())[:300]


def refusal(
    status: int,
    body: Any,
    method: str,
    *,
    changes: bool = False,
    sent: Mapping[str, Any] | None = None,
    pause: float | None = None,
) -> HubError:
    """Return the error to raise for a refused call.

    status: HTTP status (400 for a command inside a batch). body: the parsed error body. changes: the call could
    have had an effect, so an internal error leaves it uncertain. sent: the fields of the call, to name those
    that the vendor objects to. pause: seconds until the method's run time is reset, if known.
    """
    code, words = code_of(body), words_of(body)
    known = codes.ERRORS.get(code)
    reason = _reason(status, code, words, method, known.words if known else "")
    treatment = known.treatment if known else _by_status(status)
    if treatment == "auth" and status == 400 and code == "access_denied":
        treatment = "refused"  # 400 speaks of this record alone, 401 and 403 of the whole connection
    match treatment:
        case "slower":
            return RateLimited(reason, SLOWER)
        case "method_pause":
            return RateLimited(reason, pause if pause is not None else METHOD_PAUSE, method.lower())
        case "refresh":
            return Expired(reason)
        case "again":
            return Uncertain(reason) if changes else Retry(reason)
        case "auth":
            return AuthFailed(reason)
        case "gone":
            return Gone(reason, vendor_code=code)
    if code == "insufficient_scope":  # this act can't be done; what needs other permissions goes on
        reason += f": {codes.scope_of(method)}"
    return Refused(reason, objected(words, sent or {}), vendor_code=code or NO_CODE)


def _by_status(status: int) -> codes.Treatment:
    if status in (429,):
        return "slower"
    if status >= 500 or status in (408, 425):
        return "again"
    if status == 401:
        return "auth"
    return "refused"


def _reason(status: int, code: str, words: str, method: str, advice: str) -> str:
    said = " ".join(part for part in (code.upper(), words) if part) or f"HTTP {status}"
    return f"{method}: {said}" + (f" ({advice})" if advice else "")


def objected(words: str, sent: Mapping[str, Any]) -> dict[str, str]:
    """Return the sent fields that the vendor's text names, each with that text."""
    return {
        name: words
        for name in sent
        if len(name) > 2 and re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", words)
    }
