"""HTTP only: one call, and what its answer means for what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.errors import Gone, Refused, Retry
from hub.session import Answer, Session
from plugins.standard.outgoing import Call

_SAFE = frozenset({"GET", "PUT", "DELETE"})


def send(session: Session, call: Call, settings: Mapping[str, Any], *, repeatable: bool = False) -> Answer:
    """Make the call and return a good answer; raise `hub.errors` for any other.

    repeatable: the other side knows a second sending for the same (an idempotency key), so a lost answer is a `Retry`.
    """
    answer = session.request(
        call.method,
        call.url,
        data=call.body or None,
        params=call.query or None,
        headers=call.headers,
        changes=call.method not in _SAFE and not repeatable,
        from_data=not call.own,
    )
    return judge(answer, call, settings)


def judge(answer: Answer, call: Call, settings: Mapping[str, Any]) -> Answer:
    """Return the answer if it is good; the configured lists come before what a status usually means."""
    status = answer.status
    if status < 300 or status in settings["ok_on"]:
        return answer
    reason = f"HTTP {status}: {answer.text[:200]}"
    if status in settings["retry_on"]:
        raise Retry(reason, answer.retry_after())
    if status in settings["gone_on"]:
        raise Gone(reason, vendor_code=str(status))
    if not call.own and status in (401, 403, 407):
        raise Refused(reason, vendor_code=str(status))  # a stranger's door says nothing about our credentials
    return answer.raise_for_status()
