"""HTTP with one account: one call, a list page by page, a batch. Refusals come out as the hub's errors.

https://www.amocrm.ru/developers/content/api/recommendations: POST takes an array even for one record, an empty list
answers 204 without a body, pages are followed until 204 or until no next one is named.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from hub.errors import AuthFailed, HubError, RateLimited, Refused, Retry
from hub.session import Answer, Session
from plugins.amocrm import codes
from plugins.amocrm.oauth import OAuth
from plugins.amocrm.refusals import Expired, Invalid, refusal

if TYPE_CHECKING:
    from hub.tokens import TokenVault

_PATH = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_\-./]{0,300}$")
#: longest pause after calls that were too many, in seconds; beyond that amoCRM blocks for good
_LONGEST_PAUSE = 120.0
#: the second that amoCRM counts calls in, and a little: its clock isn't ours
_SECOND = 1.05


class Pace:
    """Lets so many calls a second out of this process, and no more in any second.

    The hub's limiter, shared by all workers, keeps to the average; one act of several calls may still send them all at
    once, and amoCRM answers a second with one call too many by 429, and many such seconds by a block.
    """

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.sleep, self._clock = sleep, clock
        self._span = max(_SECOND, _SECOND / per_second)
        self._calls: deque[float] = deque(maxlen=max(1, int(per_second)))
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for the next call's turn: a second after the one that was `per_second` calls before it."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._calls[0] + self._span) if len(self._calls) == self._calls.maxlen else now
            self._calls.append(turn)
        if turn > now:
            self.sleep(turn - now)


class Client:
    """The calls of one connection; shared by the threads of a worker."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        http: Callable[[], Session],
        tokens: Callable[[], TokenVault],
        oauth: OAuth,
        clock: Callable[[], float] = time.monotonic,
        patience: int = 0,
        pace: Pace | None = None,
    ) -> None:
        """patience: how often a call that was one too many is tried again here, for a person whom no queue serves."""
        self._settings, self._http, self._tokens, self._oauth, self._clock = settings, http, tokens, oauth, clock
        self._patience, self._pace = patience, pace or Pace(settings["limits"]["per_second"])
        self._lock = threading.Lock()
        self._refused_at, self._refused, self._held_until = 0.0, 0, 0.0

    # --- one call --------------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the body of a GET; None for 204 (an empty list, a record that isn't there)."""
        known = self._http().known
        key = (path, *flat(params or {}))
        if key not in known:
            known[key] = self.call("GET", path, params=params, changes=False)
        return known[key]

    def post(self, path: str, body: Any, changes: bool = True) -> Any:
        """Return the body of a POST."""
        return self.call("POST", path, body=body, changes=changes)

    def patch(self, path: str, body: Any) -> Any:
        """Return the body of a PATCH."""
        return self.call("PATCH", path, body=body)

    def delete(self, path: str, body: Any = None) -> Any:
        """Return the body of a DELETE, mostly none."""
        return self.call("DELETE", path, body=body)

    def call(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None, changes: bool = True
    ) -> Any:  # fmt: skip
        """Make one call under `/api/v4/` and return its parsed body, None for none.

        Raises `RateLimited`, `Retry`, `Uncertain`, `AuthFailed`, `Refused`, `Gone`.
        """
        if not _PATH.match(path) or ".." in path:
            raise Refused(f"{path!r} is no path of the API")
        url = f"{self._settings['base_url']}/{path if path.startswith('api/') else f'api/v4/{path}'}"
        if params:
            url += "?" + urlencode(list(flat(params)))
        for _ in range(self._patience):
            try:
                return self._once(method, url, f"{method} {path}", body, changes)
            except RateLimited as error:
                self._pace.sleep(min(error.after or 1.0, _LONGEST_PAUSE))
        return self._once(method, url, f"{method} {path}", body, changes)

    def _once(self, method: str, url: str, what: str, body: Any, changes: bool) -> Any:
        if (left := self._held_until - self._clock()) > 0 and not self._patience:
            raise RateLimited(f"{what}: waiting after too many calls", left)
        token, held = self._token()
        try:
            return self._read(self._send(method, url, body, changes, token), what, body, changes)
        except Expired as error:
            if held is None:
                raise AuthFailed(f"{error.reason}: put a new long-lived token into .env") from None
        fresh = self._tokens().refresh_once(held, self._oauth.refresh)
        try:
            answer = self._send(method, url, body, changes, fresh["access_token"])
            return self._read(answer, what, body, changes)
        except Expired as error:
            raise AuthFailed(f"{error.reason}: a fresh token isn't accepted either; give consent once more") from None

    def _token(self) -> tuple[str, dict[str, Any] | None]:
        """Return the access token and, for OAuth, the tokens it is one of; one whose time is over is refreshed."""
        if self._settings["token"]:
            return self._settings["token"], None
        held = self._tokens().read()
        if not held or not held.get("access_token"):
            raise AuthFailed("no consent has been given yet: `hub connect` prints the link")
        if self._oauth.stale(held):
            held = self._tokens().refresh_once(held, self._oauth.refresh)
        return str(held["access_token"]), dict(held)

    def _send(self, method: str, url: str, body: Any, changes: bool, token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        self._pace.wait()
        return self._http().request(method, url, json=body, headers=headers, changes=changes)

    def _read(self, answer: Answer, what: str, sent: Any, changes: bool) -> Any:
        if 200 <= answer.status < 300:
            self._refused = 0
            return answer.json() if answer.body.strip() and answer.status != 204 else None
        error = refusal(
            answer.status, answer.body, what, changes=changes, sent=sent, pause=self._pause(answer.status),
            retry_after=answer.retry_after(),
        )  # fmt: skip
        if isinstance(error, RateLimited):  # everything of this connection stops, not this call alone
            self._held_until = max(self._held_until, self._clock() + (error.after or 1.0))
        raise error

    def _pause(self, status: int) -> float:
        """Return how long to stop after 429: a second, doubled with each one that follows; parallel ones are one."""
        if status != 429:
            return 1.0
        with self._lock:
            now = self._clock()
            if now - self._refused_at >= min(2.0**self._refused, _LONGEST_PAUSE) / 2:
                self._refused += 1
            self._refused_at = now
            return float(min(2.0 ** max(0, self._refused - 1), _LONGEST_PAUSE))

    # --- lists -----------------------------------------------------------------------------------

    def rows(
        self, path: str, params: Mapping[str, Any] | None = None, *, inside: str = "", limit: int = 500,
        page_size: int = codes.PAGE,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Return up to `limit` rows of a list. inside: its name in `_embedded`, the path's last word by default."""
        found: list[dict[str, Any]] = []
        for page in self.pages(path, params, inside=inside, page_size=page_size):
            found += page
            if len(found) >= limit:
                break
        return found[:limit]

    def pages(
        self, path: str, params: Mapping[str, Any] | None = None, *, inside: str = "", page_size: int = codes.PAGE,
        first: int = 1,
    ) -> Iterator[list[dict[str, Any]]]:  # fmt: skip
        """Yield the pages of a list. The next one is asked for by number: an address in an answer isn't followed."""
        inside = inside or path.rpartition("/")[2]
        number = first
        while True:
            body = self.get(path, {**(params or {}), "page": number, "limit": page_size})
            rows = embedded(body, inside)
            if rows:
                yield rows
            links = body.get("_links") if isinstance(body, Mapping) else None
            if not rows or not isinstance(links, Mapping) or not links.get("next"):
                return
            number += 1

    # --- batches ---------------------------------------------------------------------------------

    def batch(
        self, method: str, path: str, items: Sequence[dict[str, Any]], inside: str = ""
    ) -> tuple[dict[str, dict[str, Any]], dict[str, HubError]]:  # fmt: skip
        """Write many records, 50 a call; return (answers, refusals) by `request_id`.

        One bad item makes amoCRM refuse its whole batch, so those it names are left out and the rest is sent again.
        What may have taken effect (5xx) ends the matter: `Uncertain`; an update that timed out is sent in halves.
        """
        inside = inside or path.rpartition("/")[2]
        done: dict[str, dict[str, Any]] = {}
        failed: dict[str, HubError] = {}
        queue = [list(items[place : place + codes.BATCH]) for place in range(0, len(items), codes.BATCH)]
        while queue:
            part = queue.pop(0)
            try:
                body = self.call(method, path, body=part, changes=method != "PATCH")
            except (Retry, RateLimited) as error:
                if isinstance(error, RateLimited) or method != "PATCH" or len(part) == 1 or "504" not in str(error):
                    raise
                middle = len(part) // 2
                queue = [part[:middle], part[middle:], *queue]
                continue
            except Refused as error:
                bad = error.items if isinstance(error, Invalid) else frozenset()
                named = [item for item in part if str(item["request_id"]) in bad]
                if not named and len(part) > 1:
                    queue = [[item] for item in part] + queue
                    continue
                for item in named or part:
                    failed[str(item["request_id"])] = error
                if rest := [item for item in part if item not in named] if named else []:
                    queue.insert(0, rest)
                continue
            for place, row in enumerate(embedded(body, inside) or (body if isinstance(body, list) else [])):
                said = row.get("request_id", place)
                done[str(said[0] if isinstance(said, list) and said else said)] = row
        return done, failed


def embedded(body: Any, inside: str) -> list[dict[str, Any]]:
    """Return the rows of an answer: `_embedded.<inside>`; [] for anything else."""
    held = body.get("_embedded") if isinstance(body, Mapping) else None
    rows = held.get(inside) if isinstance(held, Mapping) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Return nested parameters as PHP's pairs: `filter[id][0]=5`."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from flat(below, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            yield from flat(below, f"{name}[{index}]")
    elif value is not None:
        yield name, str(value)
