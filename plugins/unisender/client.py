"""HTTP to the classic API: one method per call, refusals as hub errors. Go's client is in `go_client`.

Request: POST {base}/{lang}/api/{method}?format=json, a form with everything else in it, `api_key` too (in a URL it
would end up in logs); nested values in PHP's brackets. Answer: `{"result": ..}` or `{"error", "code"}`, HTTP 200 for
both, so the members count and never the status.
https://www.unisender.com/en/support/api/common/api-request/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import marshmallow as ma

from hub.errors import AuthFailed, HubError, RateLimited, Refused, Retry, Uncertain
from hub.session import Session
from plugins.unisender import codes, schemas

Result = Any
Row = dict[str, Any]

_ERROR_ID = re.compile(r"^\s*Error ID:\s*([0-9a-fA-F-]{8,40})\.?\s*", re.I)
#: the argument a text is about: `'hook_url' - This value ..`
_ARGUMENT = re.compile(r"['\"\[]([a-z_]{3,40})['\"\]]")
_READS = re.compile(r"^(get|check|list|is|export|async/getTaskResult)")
#: seconds to wait for an import of 500 rows: the vendor itself gives up after 30
IMPORT_TIMEOUT = 45.0


class OtherOwner(Refused):
    """E-mail and phone belong to two different contacts at the vendor."""


class Client:
    """The calls of one account."""

    def __init__(self, http: Session, base_url: str, language: str, key: str) -> None:
        self._http, self._key = http, key
        self._root = f"{base_url.rstrip('/')}/{language}/api/"

    def call(
        self, method: str, params: Mapping[str, Any], changes: bool | None = None, timeout: float | None = None
    ) -> Result:
        """Call a method and return its `result`.

        changes: whether a lost answer is `Uncertain` (it may have taken effect) or plain `Retry`; by default
        everything but get.., check.., list.., is.. and export.. changes something.
        """
        may_change = not _READS.match(method) if changes is None else changes
        form = [("api_key", self._key), *pairs(params)]
        answer = self._http.post(
            self._root + method,
            params={"format": "json"},
            data=form,
            changes=may_change,
            scope=method,
            timeout=timeout,
        )
        if answer.status in (401, 407, 408, 425, 429) or answer.status >= 500 or 300 <= answer.status < 400:
            answer.raise_for_status()
        body = answer.json()
        if isinstance(body, dict) and body.get("error") is not None:
            try:
                said = schemas.ClassicError().load(body)
            except ma.ValidationError:
                said = {"error": str(body["error"])[:300], "code": "unspecified"}
            raise refusal(method, said["error"] or "", said["code"] or "unspecified", may_change)
        if isinstance(body, dict) and "result" in body:
            return body["result"]
        answer.raise_for_status()
        reason = f"{method}: HTTP {answer.status}, neither result nor error in the answer: {answer.text[:120]!r}"
        raise (Uncertain if may_change else Retry)(reason)

    def rows(self, method: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """Call a method that lists -> its objects; a list may come as an object with numbers for names."""
        return objects(self.call(method, params or {}))

    def record(self, method: str, params: Mapping[str, Any], changes: bool | None = None) -> Row:
        """Call a method that answers an object; an empty one of PHP's is a list."""
        result = self.call(method, params, changes)
        return result if isinstance(result, dict) else {}

    def import_contacts(self, params: Mapping[str, Any]) -> Row:
        """Write up to 500 contacts -> {total, inserted, updated, deleted, new_emails, invalid, log}."""
        result = self.call("importContacts", params, timeout=IMPORT_TIMEOUT)
        return result if isinstance(result, dict) else {}


# --- shapes ---------------------------------------------------------------------------------------


def pairs(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | bytes]]:
    """Yield parameters as a form has them: `fields[email]`, `data[0][1]`, `list[]` numbered; None is left out."""
    for name, value in params.items():
        key = f"{prefix}[{name}]" if prefix else str(name)
        if isinstance(value, Mapping):
            yield from pairs(value, key)
        elif isinstance(value, list | tuple):
            yield from pairs({str(place): one for place, one in enumerate(value)}, key)
        elif isinstance(value, bytes):
            yield key, value
        elif isinstance(value, bool):
            yield key, "1" if value else "0"
        elif value is not None:
            yield key, str(value)


def objects(value: Any) -> list[Row]:
    """Return the objects in a list, or in an object that stands for one."""
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


# --- refusals -------------------------------------------------------------------------------------


def refusal(method: str, text: str, code: str, changes: bool) -> HubError:
    """Return the hub error for `{"error", "code"}`; unknown codes are refusals for good."""
    match = _ERROR_ID.match(text)
    plain = text[match.end() :] if match else text
    number = f" (error id {match[1]})" if match else ""
    kind, advice = codes.ERRORS.get(code, ("refused", ""))
    reason = f"{method}: {plain.strip()[:400] or 'refused without a reason'} [{code}]{number}"
    if advice:
        reason = f"{advice}. {reason}"
    if kind == "auth":
        return AuthFailed(reason)
    if kind == "limit":
        return RateLimited(reason, codes.LIMIT_PAUSE, method if method in codes.OWN_LIMITS else "")
    if kind == "retry":
        return Retry(reason)
    if "owned by different subscribers" in plain:
        return OtherOwner(reason, vendor_code=code)
    fields = {found[1]: plain.strip()[:200]} if (found := _ARGUMENT.search(plain)) else {}
    return Refused(reason, fields, code)
