"""HTTP with one portal: one call, a list, a batch. Refusals come out as the hub's errors, nothing else is known here.

A call goes through the inbound webhook if there is one, otherwise (and for methods that need an app) with the
app's access token. https://apidocs.bitrix24.ru/settings/how-to-call-rest-api/index.html
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from hub.errors import AuthFailed, HubError, RateLimited, Refused, Retry
from hub.session import Answer, Session
from plugins.bitrix24 import codes
from plugins.bitrix24.oauth import OAuth
from plugins.bitrix24.refusals import Expired, is_error, refusal

if TYPE_CHECKING:
    from hub.tokens import TokenVault

_METHOD = re.compile(r"^[A-Za-z][A-Za-z0-9_.]{1,100}$")


@dataclass
class Batch:
    """The answers of one batch by the names of its commands: `results`, and `errors` as the hub's errors."""

    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, HubError] = field(default_factory=dict)

    def take(self, name: str) -> Any:
        """Return a command's result or raise its error."""
        if name in self.errors:
            raise self.errors[name]
        if name not in self.results:
            raise Retry(f"the batch answer lacks {name!r}")
        return self.results[name]

    def get(self, name: str) -> Any:
        """Return a command's result, None if it was refused; an error that passes by itself is raised."""
        if isinstance(error := self.errors.get(name), Retry):
            raise error
        return self.results.get(name)


class Client:
    """The calls of one connection; shared by the threads of a worker."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        http: Callable[[], Session],
        tokens: Callable[[], TokenVault],
        oauth: OAuth,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._http, self._tokens, self._oauth, self._clock = settings, http, tokens, oauth, clock
        self._lock = threading.Lock()
        #: method -> (seconds of run time used, unix time at which they are forgotten)
        self._operating: dict[str, tuple[float, float]] = {}
        #: the portal's own clock at its last answer, unix seconds
        self.portal_time: float | None = None

    # --- one call --------------------------------------------------------------------------------

    def call(self, method: str, params: Mapping[str, Any] | None = None, changes: bool | None = None) -> Any:
        """Return `result` of one call.

        changes: whether it may have an effect; by default told from the method's name. Raises `RateLimited`,
        `Retry`, `Uncertain`, `AuthFailed`, `Refused`, `Gone`.
        """
        if changes is None:
            changes = not codes.is_reading(method)
        return self._envelope(method, dict(params or {}), changes)["result"]

    def _envelope(self, method: str, params: dict[str, Any], changes: bool) -> dict[str, Any]:
        if not _METHOD.match(method):
            raise Refused(f"{method!r} is no name of a method")
        self._mind_the_pause(method)
        if self._settings["webhook_url"] and not (codes.goes_to_app(method) and self._settings["client_id"]):
            answer = self._post(self._settings["webhook_url"] + method, params, changes, method)
            return self._read(answer, method, params, changes)
        tokens = self._held_tokens()
        try:
            return self._as_app(tokens, method, params, changes)
        except Expired:
            fresh = self._tokens().refresh_once(tokens, self._oauth.refresh)
        try:
            return self._as_app(fresh, method, params, changes)
        except Expired:
            raise Retry("the portal takes a fresh token for an expired one", after=10.0) from None

    def _as_app(self, tokens: Mapping[str, Any], method: str, params: dict[str, Any], changes: bool) -> dict[str, Any]:
        url = self.endpoint(tokens) + method
        answer = self._post(url, {**params, "auth": tokens["access_token"]}, changes, method)
        return self._read(answer, method, params, changes)

    def _held_tokens(self) -> dict[str, Any]:
        tokens = self._tokens().read() if self._settings["client_id"] else None
        if not tokens or not tokens.get("access_token"):
            raise AuthFailed("the app isn't installed yet: open the install link of the README")
        return dict(tokens)

    def endpoint(self, tokens: Mapping[str, Any]) -> str:
        """Return the base url of an app's calls; the portal's host is let through from here on."""
        url = str(tokens.get("client_endpoint") or "")
        if self._settings["portal"]:
            url = self._settings["portal"] + "rest/"
        host = (urlsplit(url).hostname or "").lower()
        if not host:
            raise AuthFailed("the portal's address is unknown: set `portal` or install the app again")
        self._http().allow(host)
        return url.rstrip("/") + "/"

    def _post(self, url: str, params: dict[str, Any], changes: bool, method: str) -> Answer:
        return self._http().post(url, json=params, changes=changes, scope=method.lower())

    def _read(self, answer: Answer, method: str, params: Mapping[str, Any], changes: bool) -> dict[str, Any]:
        if 300 <= answer.status < 400:
            where = urlsplit(answer.headers.get("location", "")).hostname or "another address"
            raise Refused(f"{method}: the portal has moved to {where}: put the new address into hub.yaml")
        kind = answer.headers.get("content-type", "").lower()
        if 400 <= answer.status < 500 and "json" not in kind and answer.body[:1] != b"{":
            answer.raise_for_status()
        body = answer.json()
        if answer.status != 200 or is_error(body):
            sent = params.get("fields")
            raise refusal(
                answer.status,
                body,
                method,
                changes=changes,
                sent=sent if isinstance(sent, Mapping) else params,
                pause=self._pause_left(method),
            )
        if not isinstance(body, dict) or "result" not in body:
            raise refusal(500, {"error": "ERROR_UNEXPECTED_ANSWER"}, method, changes=changes)
        self._note_time(method, body.get("time"))
        return body

    # --- lists -----------------------------------------------------------------------------------

    def rows(
        self, method: str, params: Mapping[str, Any], limit: int = 500, key: str = "ID", inside: str = ""
    ) -> list[dict[str, Any]]:
        """Return up to `limit` rows of a list method in order of their ids, page by page by `>ID` without a count.

        key: name of the id in filter and order. inside: name of the list in `result` where it isn't the list.
        """
        found: list[dict[str, Any]] = []
        after: Any = None
        while len(found) < limit:
            page_filter = {**params.get("filter", {}), **({f">{key}": after} if after is not None else {})}
            asked = {**params, "order": {key: "ASC"}, "filter": page_filter, "start": -1}
            result = self.call(method, asked, changes=False)
            page = result.get(inside, []) if inside and isinstance(result, dict) else result
            if not isinstance(page, list) or not page:
                break
            found += page
            last = page[-1].get(key, page[-1].get(key.lower()))
            if len(page) < codes.PAGE or last is None or last == after:
                break
            after = last
        return found[:limit]

    # --- batch -----------------------------------------------------------------------------------

    def batch(self, commands: Mapping[str, tuple[str, Mapping[str, Any]]], changes: bool = False) -> Batch:
        """Run up to 50 commands in one request; a later one may use `$result[name][FIELD]` of an earlier.

        Never put people's text into a batch: a `$result[...]` in it would be replaced too.
        https://apidocs.bitrix24.ru/settings/how-to-call-rest-api/batch.html
        """
        if len(commands) > codes.PAGE:
            raise Refused(f"a batch holds {codes.PAGE} commands, not {len(commands)}")
        for method, _ in commands.values():
            self._mind_the_pause(method)
        lines = {name: command(method, params) for name, (method, params) in commands.items()}
        result = self._envelope("batch", {"halt": 0, "cmd": lines}, changes)["result"]
        parts = result if isinstance(result, dict) else {}
        batch = Batch(results=_as_map(parts.get("result")))
        for name, time_used in _as_map(parts.get("result_time")).items():
            if name in commands:
                self._note_time(commands[name][0], time_used)
        for name, error in _as_map(parts.get("result_error")).items():
            method = commands[name][0] if name in commands else "batch"
            batch.errors[name] = refusal(400, error, method, changes=changes, pause=self._pause_left(method))
        return batch

    # --- run time of methods -----------------------------------------------------------------------

    def _note_time(self, method: str, used: Any) -> None:
        """Keep what the answer says of the method's run time, and the portal's clock."""
        if not isinstance(used, Mapping):
            return
        with self._lock:
            if isinstance(finish := used.get("finish"), (int, float)):
                self.portal_time = float(finish)
            operating, reset = used.get("operating"), used.get("operating_reset_at")
            if isinstance(operating, (int, float)) and isinstance(reset, (int, float)):
                self._operating[method.lower()] = (float(operating), float(reset))

    def _pause_left(self, method: str) -> float | None:
        with self._lock:
            _, reset = self._operating.get(method.lower(), (0.0, 0.0))
        left = reset - (self.portal_time or self._clock())
        return min(left, 600.0) if left > 1.0 else None

    def _mind_the_pause(self, method: str) -> None:
        """Stop before the call once a method has used four fifths of its run time; the portal would block it."""
        with self._lock:
            used, reset = self._operating.get(method.lower(), (0.0, 0.0))
        if used >= codes.OPERATING_CAREFUL and (left := reset - self._clock()) > 0:
            reason = f"{method} used {used:.0f} of {codes.OPERATING_LIMIT:.0f} s of run time in ten minutes"
            raise RateLimited(reason, min(left, 600.0), method.lower())


def command(method: str, params: Mapping[str, Any]) -> str:
    """Return a batch command: `crm.deal.list?filter%5BID%5D=5`, nested values in PHP's brackets."""
    pairs = list(flat(params))
    return f"{method}?{urlencode(pairs)}" if pairs else method


def flat(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    """Return nested values as the pairs that PHP's http_build_query makes of them."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from flat(below, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            yield from flat(below, f"{name}[{index}]")
    elif value is not None:
        yield name, str(value)


def _as_map(value: Any) -> dict[str, Any]:
    """Return PHP's map: an empty one arrives as `[]`, one with keys 0..n as a list."""
    if isinstance(value, dict):
        return value
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else {}
