"""HTTP with the Graph API: one call. Refusals come out as the hub's errors; nothing of a product is known here.

https://developers.facebook.com/docs/graph-api/overview
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import Retry, Uncertain
from hub.session import Answer, Session
from plugins.meta.refusals import TokenDead, error_of, refusal
from plugins.meta.usage import Meter, seconds_to_wait


class Graph:
    """The calls of one connection to one host, shared by the threads of a worker.

    base: `https://graph.instagram.com`. version: `v26.0`. proof: the app secret, where calls carry appsecret_proof
    (https://developers.facebook.com/docs/graph-api/guides/secure-requests); empty = none.
    """

    def __init__(self, http: Callable[[], Session], base: str, version: str, meter: Meter, proof: str = "") -> None:
        self._http, self._base, self._version, self._meter, self._proof = http, base.rstrip("/"), version, meter, proof

    def get(self, path: str, token: Callable[[], str], *, optional: bool = False, **params: Any) -> Any:
        """Read. `token` is asked for the present access token; `optional` steps back when limits draw near."""
        return self.call("GET", path, token, params=params, optional=optional)

    def call(
        self,
        method: str,
        path: str,
        token: Callable[[], str],
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        changes: bool | None = None,
        optional: bool = False,
    ) -> Any:
        """Return the answer's JSON.

        changes: a repetition would do harm (by default for all but GET). Raises `RateLimited`, `Retry`, `Uncertain`,
        `AuthFailed`, `Refused`, `Gone`. A dead token is tried once more if a newer one has come meanwhile.
        """
        changes = method != "GET" if changes is None else changes
        self._meter.mind(optional)
        held = token()
        try:
            return self._once(method, path, held, params, json, changes)
        except TokenDead:
            fresh = token()
            if fresh == held:
                raise
        return self._once(method, path, fresh, params, json, changes)

    def _once(
        self, method: str, path: str, token: str, params: Mapping[str, Any] | None, json: Any, changes: bool
    ) -> Any:
        query = {name: value for name, value in (params or {}).items() if value is not None}
        if self._proof:
            query["appsecret_proof"] = hmac.new(self._proof.encode(), token.encode(), hashlib.sha256).hexdigest()
        answer = self._http().request(
            method,
            f"{self._base}/{self._version}/{path.lstrip('/')}",
            params=query or None,
            json=json,
            headers={"Authorization": f"Bearer {token}"},
            changes=changes,
        )
        self._meter.note(answer.headers)
        return read(answer, f"{method} {path}", changes)


def read(answer: Answer, what: str, changes: bool = False) -> Any:
    """Return the JSON of a good answer; raise what a bad one means."""
    if 300 <= answer.status < 400:
        answer.raise_for_status()
    body = answer.json()
    if answer.status >= 300 or error_of(body) is not None:
        raise refusal(answer.status, body, what, changes=changes, wait=seconds_to_wait(answer.headers))
    if not isinstance(body, Mapping | list):
        reason = f"{what}: the answer is no object"
        raise Uncertain(reason) if changes else Retry(reason)
    return body
