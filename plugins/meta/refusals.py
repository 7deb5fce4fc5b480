"""A no of Meta's becomes one of the hub's errors. Pure: the code decides, the status is 400 for nearly everything.

`{"error": {"message", "type", "code", "error_subcode"?, "is_transient"?, "error_user_msg"?, "fbtrace_id"}}`; the token
servers have shapes of their own. https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Retry, Uncertain
from plugins.meta import codes
from plugins.meta.envelope import text

#: seconds to wait after a limit of which neither code nor header says more
SLOWER = 60.0


class TokenDead(AuthFailed):
    """Code 190 or 102: this token is no good. A newer one may be in the vault already."""


def error_of(body: Any) -> Mapping[str, Any] | None:
    """Return the error in a body, in one shape whichever server sent it; None if it holds none."""
    if not isinstance(body, Mapping):
        return None
    if isinstance(error := body.get("error"), Mapping):
        return error
    if "error_type" in body or "error_message" in body:  # api.instagram.com
        return {"message": body.get("error_message"), "type": body.get("error_type"), "code": body.get("code")}
    if isinstance(error := body.get("error"), str):
        return {"message": body.get("error_description") or error}
    return None


def refusal(status: int, body: Any, what: str, *, changes: bool = False, wait: float | None = None) -> HubError:
    """Return the error to raise.

    what: the call, for people. changes: it may have had an effect, so a passing fault leaves it uncertain.
    wait: seconds until calls are taken again, where a header told.
    """
    error = error_of(body) or {}
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    known = codes.meaning(code, subcode) if code is not None else None
    reason = _reason(status, error, what, code, subcode, known)
    vendor_code = "/".join(str(part) for part in (code, subcode) if part is not None) or str(status)
    match known.treatment if known else _by_status(status):
        case "slower":
            return RateLimited(reason, wait or (known.wait if known else 0.0) or SLOWER)
        case "before":
            return Retry(reason)
        case "again":
            return Uncertain(reason) if changes else Retry(reason)
        case "token":
            return TokenDead(reason)
        case "stop":
            return AuthFailed(reason)
        case "gone":
            return Gone(reason, vendor_code=vendor_code)
    if error.get("is_transient") is True:
        return Uncertain(reason) if changes else Retry(reason)
    return Refused(reason, vendor_code=vendor_code)


def is_window(error: HubError) -> bool:
    """Tell the refusal of a message that came too late."""
    code, _, subcode = str(getattr(error, "vendor_code", "")).partition("/")
    if not (code.isdecimal() and subcode.isdecimal()):
        return False
    known = codes.meaning(int(code), int(subcode))
    return known is not None and known.treatment == "window"


def _by_status(status: int) -> codes.Treatment:
    if status == 429:
        return "slower"
    if status >= 500 or status in (408, 425):
        return "again"
    return "token" if status == 401 else "refused"


def _reason(
    status: int, error: Mapping[str, Any], what: str, code: int | None, subcode: int | None, known: codes.Meaning | None
) -> str:
    number = f"({code}{f'/{subcode}' if subcode is not None else ''})" if code is not None else f"HTTP {status}"
    said = " ".join(text(error.get("error_user_msg") or error.get("message")).split())[:300]
    trace = text(error.get("fbtrace_id"))
    parts = [f"{what}: {number}", said, known.words if known else "", f"fbtrace_id {trace}" if trace else ""]
    return "; ".join(part for part in parts if part)


def _number(value: Any) -> int | None:
    word = text(value)
    return int(word) if word.lstrip("-").isdecimal() and len(word) < 12 else None
