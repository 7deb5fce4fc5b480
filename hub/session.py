"""The way out: one HTTP session per connection, and everything that must hold for every call.

Time-outs and a total deadline, no redirects, replies capped after inflation, credentials only to the connection's
own hosts, urls that came from data only to public addresses (checked on the dialled IP), secrets never in an
error text, the lease checked just before the request leaves, each call counted by the shared limiter.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import http.client
import logging
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests
import requests.adapters
import urllib3
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from hub import __version__
from hub.errors import AuthFailed, RateLimited, Refused, Retry, Uncertain
from hub.masking import Masker
from hub.wire import Adapter, PrivateAddress, PublicAdapter, wire

log = logging.getLogger("hub.session")

MAX_REPLY = 8 * 1024 * 1024
#: lists and objects, and commas, that an answer may have: as Python's objects each takes 60 to 230 bytes. The richest
#: pages of records have a tenth of it
MAX_CONTAINERS = 300_000
MAX_COMMAS = 1_000_000
CONNECT_TIMEOUT = 5.0
_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^<>]{0,500}>", re.I | re.S)
_HEADERS = {"User-Agent": f"hub/{__version__}", "Accept": "application/json, */*", "Accept-Encoding": "gzip, deflate"}


@dataclass(slots=True)
class Answer:
    """A vendor's HTTP answer, read whole. `changes` says whether the request could have had an effect."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    changes: bool = False
    took: float = 0.0
    #: takes secrets out of what an error text quotes: vendors' error pages like to repeat the address they were asked
    mask: Callable[[str], str] = str

    @property
    def text(self) -> str:
        """The body as text; bytes that aren't UTF-8 become replacement marks."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the parsed body; HTML or nothing where JSON was due is a vendor's bad day: `Retry` or `Uncertain`.

        One of more parts than any answer has is not parsed: 8 MB of `{}` would become 240 MB in memory.
        """
        if not self.json_fits:
            reason = f"HTTP {self.status}: the answer's JSON has more than {MAX_CONTAINERS} parts"
            raise Uncertain(reason) if self.changes else Refused(reason)
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            start = self._start(120).replace("\n", " ")
            raise self._doubt(f"HTTP {self.status}: the answer is not JSON: {start!r}") from None

    @property
    def json_fits(self) -> bool:
        """Whether the body, if it is JSON, may be parsed (`json` asks this itself)."""
        body = self.body
        return body.count(b"{") + body.count(b"[") <= MAX_CONTAINERS and body.count(b",") <= MAX_COMMAS

    def _start(self, letters: int) -> str:
        """Return how the body begins, for people: without secrets (masked before it is cut) and without markup."""
        text = self.mask(self.body[:4000].decode("utf-8", "replace"))
        if text.lstrip().startswith("<"):
            text = _MARKUP.sub(" ", text)
        return " ".join(text.split())[:letters]

    def retry_after(self) -> float | None:
        """Return the seconds of a Retry-After header, a day at most; None if there is none or it makes no sense."""
        given = str(self.headers.get("retry-after", "")).strip()
        try:
            seconds = float(given)
        except ValueError:
            try:
                until = parsedate_to_datetime(given)
                seconds = (until.astimezone(dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds()
            except (ValueError, OverflowError):
                return None
        return None if math.isnan(seconds) else min(max(seconds, 0.0), 86_400.0)

    def raise_for_status(self) -> Answer:
        """Raise the error that the status alone means, where the vendor has no finer words; else return self."""
        if self.status < 300:
            return self
        reason = f"HTTP {self.status}: {self._start(200)}"
        if self.status == 429:
            raise RateLimited(reason, self.retry_after() or 5.0)
        if self.status == 503 and self.retry_after() is not None:
            raise RateLimited(reason, self.retry_after() or 5.0)
        if self.status in (401, 407):
            raise AuthFailed(reason)
        if self.status >= 500 or self.status in (408, 425):
            raise self._doubt(reason)
        if self.status < 400:
            target = self.mask(str(self.headers.get("location", "?")))[:200]
            raise Refused(f"{reason} (a redirect to {target}; redirects are not followed)")
        raise Refused(reason)

    def _doubt(self, reason: str) -> Exception:
        return Uncertain(reason) if self.changes else Retry(reason, self.retry_after())


@dataclass
class Exchange:
    """One request and its outcome, masked, as kept on the attempt."""

    method: str
    url: str
    status: int | None
    took_ms: int
    note: str = ""


@dataclass
class CallContext:
    """What surrounds the calls of one piece of work in one thread. `known`: what it has read so far."""

    guard: Callable[[], None] = lambda: None
    budget: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    known: dict[Any, Any] = field(default_factory=dict)


class Session:
    """The HTTP session of one connection, shared by the threads of a worker."""

    def __init__(
        self,
        connection: str,
        *,
        hosts: Iterable[str] = (),
        timeout: float = 30.0,
        pool: int = 32,
        masker: Masker | None = None,
        spend: Callable[[int], None] = lambda calls: None,
        paused: Callable[[str], float] = lambda scope: 0.0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.connection = connection
        self._settings = settings or {}
        self.hosts = frozenset(host.lower() for host in hosts)
        self.timeout = timeout
        self.masker = masker or Masker()
        self._spend = spend
        self._paused = paused
        self._local = threading.local()
        self._own = self._make(pool, Adapter)
        self._public = self._make(4, PublicAdapter)

    @staticmethod
    def _make(pool: int, adapter: type[requests.adapters.HTTPAdapter]) -> requests.Session:
        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter(pool_connections=8, pool_maxsize=pool, max_retries=0))
        return session

    def allow(self, host: str) -> None:
        """Let this connection's credentials go to one more host, learned from the vendor itself (an app's portal)."""
        self.hosts |= {host.lower()}

    def _where(self, url: str, from_data: bool) -> str:
        """Return host:port as dialled, and the setting it comes from: where to look when nobody answers."""
        parts = urllib3.util.parse_url(url)
        host = parts.host or "?"
        place = f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        setting = "" if from_data else next(_origins(self._settings, host.lower()), "")
        return f"{place} (connections.{self.connection}.{setting})" if setting else place

    # --- what surrounds a piece of work ----------------------------------------------------------

    @contextlib.contextmanager
    def work(self, guard: Callable[[], None], budget: int) -> Iterator[CallContext]:
        """Bind the lease check and the reserved calls to this thread while a piece of work runs."""
        context = self._local.context = CallContext(guard, budget)
        try:
            yield context
        finally:
            del self._local.context

    @property
    def known(self) -> dict[Any, Any]:
        """Return what this piece of work has read so far: a connector keeps answers here that it would ask for again.

        One act asks for its person several times over (to join, to find, to make). Any call that changes something
        empties it; outside a piece of work nothing is kept.
        """
        context: CallContext | None = getattr(self._local, "context", None)
        return context.known if context is not None else {}

    # --- the call --------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Mapping[str, str] | None = None,
        files: Any = None,
        changes: bool = True,
        scope: str = "",
        timeout: float | None = None,
        from_data: bool = False,
    ) -> Answer:
        """Send one request and read its answer whole, whatever its status.

        changes: the call may have an effect at the vendor, so a lost answer is `Uncertain`, not `Retry`.
        scope: the method name for limits learned per method. from_data: the url came in a message, so it may
        only lead to a public address and carries no credentials.
        """
        host = _host(url)
        if not from_data and host not in self.hosts:
            raise Refused(f"connection {self.connection} may not send its credentials to {host!r}")
        if wait := self._paused(scope):
            raise RateLimited(f"paused for {wait:.0f} s: {scope or 'all calls'}", wait, scope)
        context: CallContext | None = getattr(self._local, "context", None)
        wire.guard = context.guard if context else lambda: None
        wire.guard()
        if context and changes:
            context.known.clear()
        if context and context.budget > 0:
            context.budget -= 1
        else:
            self._spend(1)
        if json is not None:
            data = orjson.dumps(json, default=str)
            headers = {"Content-Type": "application/json", **(headers or {})}
        started = time.monotonic()
        status: int | None = None
        note = ""
        try:
            answer = self._exchange(
                self._public if from_data else self._own, method, url, data, params, headers, files,
                changes, timeout or self.timeout, functools.partial(self._where, url, from_data),
            )  # fmt: skip
            status = answer.status
            answer.took = time.monotonic() - started
            return answer
        except Exception as error:
            note = self.masker.mask_call(str(error))[:300]
            raise
        finally:
            if context is not None:
                took = int((time.monotonic() - started) * 1000)
                context.exchanges.append(Exchange(method, self.masker.mask_call(url), status, took, note))

    def get(self, url: str, **options: Any) -> Answer:
        """Read: a GET that changes nothing."""
        return self.request("GET", url, **{"changes": False, **options})

    def post(self, url: str, **options: Any) -> Answer:
        """Write: a POST whose lost answer is uncertain unless `changes=False`."""
        return self.request("POST", url, **options)

    def _exchange(
        self, session: requests.Session, method: str, url: str, data: Any, params: Any,
        headers: Mapping[str, str] | None, files: Any, changes: bool, timeout: float, where: Callable[[], str],
    ) -> Answer:  # fmt: skip
        wire.deadline, wire.sent = time.monotonic() + timeout, False
        say = self.masker.mask_call
        try:
            # Prepared by hand and handed to the adapter: what Session.request adds (cookies, redirects, environment)
            # isn't wanted here, and costs as much again as the call itself.
            prepared = requests.PreparedRequest()
            prepared.prepare_method(method)
            prepared.prepare_url(url, params)
            prepared.prepare_headers({**_HEADERS, **(headers or {})})
            prepared.prepare_body(data, files)
            prepared.hooks = {}
            response = session.get_adapter(url).send(
                prepared, stream=True, timeout=(min(CONNECT_TIMEOUT, timeout), timeout), verify=True
            )
        except PrivateAddress as error:
            raise Refused(str(error)) from None
        except (*_UNSENDABLE, UnicodeError) as error:
            raise Refused(say(f"not an address or request one can call: {error}")) from None
        except requests.exceptions.SSLError as error:
            why = f"TLS with {where()} failed: {_short(error, say)}"
            raise _lost(changes and wire.sent, why) from None
        except requests.exceptions.ConnectTimeout:
            raise Retry(f"{where()} does not accept connections") from None
        except requests.exceptions.Timeout:
            raise _lost(changes, f"no answer from {where()} within {timeout:.0f} s") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            if _never_sent(error):
                raise Retry(f"no connection to {where()}: {_short(error, say)}") from None
            why = f"the connection to {where()} broke before an answer came: {_short(error, say)}"
            raise _lost(changes, why) from None
        try:
            body = self._read(response)
        except _TooLarge as error:
            raise (Uncertain if changes else Refused)(str(error)) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _lost(changes, f"the answer of {where()} broke off: {_short(error, say)}") from None
        finally:
            response.close()
        return Answer(response.status_code, response.headers, body, changes, mask=say)

    @staticmethod
    def _read(response: requests.Response) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_content(65_536):
            size += len(chunk)
            if size > MAX_REPLY:
                raise _TooLarge(f"the answer is larger than {MAX_REPLY // 1024 // 1024} MB")
            chunks.append(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        """Close the pooled connections."""
        self._own.close()
        self._public.close()


# --- small words ---------------------------------------------------------------------------------

_UNSENDABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
)


class _TooLarge(Exception):
    pass


def _host(url: str) -> str:
    """Return the host that will be dialled, as urllib3 reads the address: other parsers see other hosts in some."""
    try:
        return (urllib3.util.parse_url(url).host or "").lower()
    except urllib3.exceptions.LocationParseError:
        raise Refused("not an address one can call") from None


def _origins(settings: Any, host: str, path: str = "") -> Iterator[str]:
    """Yield the settings that lead to a host: addresses on it, its name, the first part of its name (a subdomain)."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _origins(value, host, f"{path}.{key}" if path else str(key))
    elif isinstance(settings, str):
        word = settings.strip().lower()
        if "://" in word:
            try:
                word = urllib3.util.parse_url(word).host or ""
            except urllib3.exceptions.LocationParseError:
                return
        if word == host or (host.startswith(f"{word}.") and not word.isdecimal()):
            yield path


def _never_sent(error: BaseException) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def _lost(changes: bool, reason: str) -> Exception:
    return Uncertain(reason) if changes else Retry(reason)


def _short(error: BaseException, say: Callable[[str], str]) -> str:
    """Return what broke a connection, in words: libraries wrap the cause several times and say it in Python."""
    for cause in reversed(list(_causes(error))):
        for kind, words in _ACCIDENTS:
            if isinstance(cause, kind):
                return say(words(cause))[:200]
    log.warning("a connection broke in a way that has no words yet: %s", say(repr(error)))
    return "in an unknown way; the log has more"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps, outermost first."""
    waiting, known = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in known:
            continue
        known.add(id(one))
        yield one
        inner = [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting.extend(part for part in inner if isinstance(part, BaseException))


#: what breaks a connection -> words for a person; the first that fits the innermost cause
_ACCIDENTS: tuple[tuple[type[BaseException], Callable[[Any], str]], ...] = (
    (ssl.SSLCertVerificationError, lambda error: f"its certificate is not accepted: {error.verify_message}"),
    (ssl.SSLError, lambda error: f"{(error.reason or 'failed').replace('_', ' ').lower()}"),
    (socket.gaierror, lambda error: _nameless(error)),
    (http.client.RemoteDisconnected, lambda error: "it hung up without an answer"),
    (ConnectionResetError, lambda error: "it broke the connection off"),
    (http.client.IncompleteRead, lambda error: f"only {_amount(error)} bytes came, more were announced"),
    (http.client.HTTPException, lambda error: "what it sent is no HTTP"),
    (urllib3.exceptions.DecodeError, lambda error: "its compression is broken"),
    (OSError, lambda error: (error.strerror or str(error)).lower()),
    (urllib3.exceptions.TimeoutError, lambda error: "it fell silent"),
)


def _nameless(error: socket.gaierror) -> str:
    """Return why a name led to no address: it is wrong, or nobody can be asked."""
    if error.errno == socket.EAI_AGAIN:
        return "no name server answers (DNS); is the network up?"
    return "its name is not known (DNS); is it spelt right?"


def _amount(error: http.client.IncompleteRead) -> int:
    return error.partial if isinstance(error.partial, int) else len(error.partial)
