"""HTTP to Unisender Go: POST JSON to {base}/{lang}/transactional/api/v1/{method}.json, the key in `X-API-KEY`.

Errors have a real HTTP status and `{"status": "error", "message", "code"}`.
https://godocs.unisender.ru/web-api-ref
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from hub.errors import AuthFailed, RateLimited, Refused, Retry, Uncertain
from hub.session import Answer, Session
from plugins.unisender import schemas

Row = dict[str, Any]

#: seconds to wait after 429 where no Retry-After came: the vendor names no number
PAUSE = 10.0


class GoClient:
    """The calls of one account or project."""

    def __init__(self, http: Session, base_url: str, language: str, key: str) -> None:
        self._http, self._key = http, key
        self._root = f"{base_url.rstrip('/')}/{language}/transactional/api/v1/"

    def call(self, method: str, body: Mapping[str, Any], changes: bool = True) -> Row:
        """Call a method and return its answer, whose status is `success`."""
        answer = self._http.post(
            f"{self._root}{method}.json",
            json=dict(body),
            headers={"X-API-KEY": self._key},
            changes=changes,
            scope=method,
        )
        said = _said(answer)
        if answer.status < 300 and said is not None and said["status"] in ("success", ""):
            row: Row = answer.json()
            return row
        if said is None or not said["message"]:
            if answer.status in (403, 404):
                raise Refused(f"{method}: HTTP {answer.status} and no message of Unisender Go: is base_url right?")
            answer.raise_for_status()
            reason = f"{method}: HTTP {answer.status}, not Unisender Go's answer: {answer.text[:120]!r}"
            raise (Uncertain if changes else Retry)(reason)
        raise _refusal(method, answer, said)


def _said(answer: Answer) -> Row | None:
    """Return status, message and code, None if the answer isn't the vendor's."""
    try:
        body = answer.json()
        return schemas.GoAnswer().load(body) if isinstance(body, dict) else None
    except (Retry, Uncertain, ma.ValidationError):
        return None


def _refusal(method: str, answer: Answer, said: Row) -> Exception:
    code = f" [{said['code']}]" if said["code"] else ""
    reason = f"{method}: HTTP {answer.status}: {said['message'][:400]}{code}"
    if answer.status in (401, 403):
        return AuthFailed(
            f"Unisender Go doesn't accept the API key (one of the other data centre, go1 or go2, neither): {reason}"
        )
    if answer.status == 429:
        return RateLimited(reason, answer.retry_after() or PAUSE)
    if answer.status >= 500:
        return Retry(reason, answer.retry_after())  # it says itself that it has failed
    return Refused(reason, vendor_code=said["code"])
