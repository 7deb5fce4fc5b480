"""Between the server and Flask: bodies are read here, under a deadline, and receipts are waited for here.

granian calls the Front in an event loop (RSGI). A body that comes slowly, or a receipt that waits for its commit,
holds no thread; Flask is called once the body is whole. Messages to `/in/` run right in the loop: all that is done
before their commit is computing. Everything else may take its time and runs in a pool of threads.
"""

from __future__ import annotations

import asyncio
import io
import ipaddress
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import flask
from granian.rsgi import ProtocolClosed, ProtocolError

from hub.model import Reply
from hub.receive import Accepted

log = logging.getLogger("hub.web")

#: seconds a sender has for its body
BODY_SECONDS = 30.0
#: a body that takes longer than this is a slow one, and of those one address may have so many under way: a few
#: thousand would take all connections there are
SLOW_SECONDS = 2.0
SLOW_MOST = 256
#: bytes of bodies that may be held at once, of all senders together; beyond it a sender is asked to come back
HELD = 256 * 1024 * 1024
#: a larger body is worked on in a thread: reading it would keep the loop from the other senders
INLINE = 16 * 1024
#: bytes that are read of a body that is refused for its length
DISCARDED = 64 * 1024 * 1024
DISCARD_SECONDS = 2.0
#: a body of up to this many bytes is read in one go
SMALL = 64 * 1024
#: the environ keys under which a view finds the body, headers with `_` in their names as they came, and a `Later`
BODY = "hub.body"
UNDERSCORED = "hub.underscored"
LATER = "hub.later"
THREADS = 16
#: seconds after which a loop that serves nobody is given up
HANGS = 60

#: stands for an address among slow bodies: this one was not waited for
_REFUSED = ""
_CLOSE = {"Connection": "close"}

_BASE: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "SERVER_NAME": "hub",
    "SERVER_PORT": "80",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


class _TooSlow(Exception):
    """A body did not come in time."""


class _TooMany(Exception):
    """One address has too many slow bodies under way."""


class _TooMuch(Exception):
    """More bodies are held than there is room for."""


class _Broken(Exception):
    """A body broke off, or was no HTTP."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How requests to a path are treated: the largest body, and whether all that is done for one is computing."""

    limit: int
    inline: bool = False


class Later:
    """Lets a view leave its answer open until the receipt is on disk."""

    __slots__ = ("accepted", "arrived", "told")

    def __init__(self, arrived: asyncio.Future[None]) -> None:
        self.arrived = arrived
        self.accepted: Accepted | None = None
        self.told: Callable[[], None] = lambda: None


class Front:
    """What granian serves: `await front(scope, proto)` for each request (RSGI 1.5)."""

    def __init__(self, app: flask.Flask, rules: Callable[[str], Rules], close: Callable[[], None]) -> None:
        """`rules` says how requests to a path are treated; `close` is called when the server has ended."""
        self.app = app
        self.rules = rules
        self.close = close
        self.held = 0
        self._slow: Counter[str] = Counter()
        self._beats = 0
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="web")

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Serve one request."""
        if scope.proto != "http":
            proto.close(403)
            return
        body, rules = b"", self.rules(scope.path)
        try:
            body = await self._body(scope, proto, rules.limit)
            await self._serve(scope, proto, body, rules.inline)
        except _TooSlow:
            _answer(proto, Reply(408, f"the body did not come within {BODY_SECONDS:.0f} s", headers=_CLOSE))
        except _TooMany:
            said = "too many slow bodies from one address at once: try again later"
            _answer(proto, Reply(503, said, headers={"Retry-After": "5", **_CLOSE}))
        except _Broken:
            _answer(proto, Reply(400, "the body broke off", headers=_CLOSE))
        except _TooMuch:
            _answer(proto, Reply(503, "too much at once: try again later", headers={"Retry-After": "5", **_CLOSE}))
        except Exception:
            log.exception("a request failed in front of the hub")
            _answer(proto, Reply(503, "try again later", headers={"Retry-After": "30"}))
        finally:
            self.held -= len(body)

    async def _body(self, scope: Any, proto: Any, limit: int) -> bytes:
        """Read the body, cut where it is longer than it may be; it counts as held from here on."""
        told = _length(scope)
        if told > limit:
            await self._discard(proto, told)
            return b""  # Flask refuses it by its length alone
        if not told and "transfer-encoding" not in scope.headers:
            return b""
        size, chunks, ends = 0, [], 0
        slow: list[str] = []
        try:
            async with asyncio.timeout(BODY_SECONDS) as patience:
                timer = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._slows, scope, patience, slow)
                if 0 < told <= SMALL:
                    chunks = [bytes(await proto())]
                    size = len(chunks[0])
                    self.held += size
                else:
                    async for chunk in proto:
                        ends += not chunk
                        if self.held + len(chunk) > HELD:
                            raise _TooMuch
                        chunks.append(chunk)
                        size += len(chunk)
                        self.held += len(chunk)
                        if size > limit:
                            break
        except BaseException as error:
            self.held -= size
            if isinstance(error, TimeoutError):
                raise (_TooMany if _REFUSED in slow else _TooSlow) from None
            if isinstance(error, ProtocolClosed | ProtocolError):
                raise _Broken from None
            raise
        finally:
            timer.cancel()
            for address in slow:
                self._slow[address] -= 1
                if self._slow[address] <= 0:
                    del self._slow[address]
        # A body in chunks that broke off ends like a whole one, but for one more empty piece (granian 2.8, src/rsgi/
        # io.rs: each error and the end are told as one; test_web_server.py would notice another way).
        if not told and size <= limit and ends != 1:
            self.held -= size
            raise _Broken
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _slows(self, scope: Any, patience: asyncio.Timeout, slow: list[str]) -> None:
        """Count a body as slow; one too many of an address is waited for no longer."""
        address = _address(scope)
        if self._slow[address] >= SLOW_MOST:
            patience.reschedule(asyncio.get_running_loop().time())
            address = _REFUSED
        self._slow[address] += 1
        slow.append(address)

    async def _discard(self, proto: Any, told: int) -> None:
        """Let a sender say what it came to say: many read no answer before they have. Bounded in size and time."""
        left = min(told, DISCARDED)
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                async for chunk in proto:
                    left -= len(chunk)
                    if left <= 0:
                        return
        except (TimeoutError, ProtocolClosed, ProtocolError):
            log.debug("a sender of too much was not heard to its end")

    async def _serve(self, scope: Any, proto: Any, body: bytes, inline: bool) -> None:
        environ = _environ(scope, body)
        loop = asyncio.get_running_loop()
        if not inline or len(body) > INLINE:
            _respond(proto, *await loop.run_in_executor(self.pool, self._flask, environ))
            return
        later = environ[LATER] = Later(loop.create_future())
        answer = self._flask(environ)
        if later.accepted is None:
            _respond(proto, *answer)
            return
        reply = await later.accepted.arrive()
        later.told()
        _answer(proto, reply)

    def _flask(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        """Call Flask and return (status, headers, body)."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started[:] = (status, headers)
            return lambda data: None

        parts = self.app(environ, start_response)
        try:
            body = b"".join(parts)
        finally:
            if (close := getattr(parts, "close", None)) is not None:
                close()
        return int(started[0][:3]), started[1], body

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch over the loop: one that hangs in a plugin would be the end of every connection."""

        def beat() -> None:
            self._beats += 1
            loop.call_later(1.0, beat)

        def watch() -> None:
            seen, still = -1, 0
            while True:
                time.sleep(1.0)
                # Counted in rounds of this thread: a process that was stopped finds its own clock stopped, too.
                seen, still = self._beats, still + 1 if self._beats == seen else 0
                if still >= HANGS:
                    log.critical("the event loop has hung for %s s; this process ends and is started again", still)
                    os._exit(70)

        loop.call_soon(beat)
        threading.Thread(target=watch, name="watch", daemon=True).start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of what the process holds, when the server has ended."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.close()


def _address(scope: Any) -> str:
    """Return whose a request is: its address; of IPv6 the network, since every client there has many addresses."""
    host = scope.client.rpartition(":")[0].strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def _length(scope: Any) -> int:
    told = scope.headers.get("content-length") or ""
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0


def _environ(scope: Any, body: bytes) -> dict[str, Any]:
    """Return a request as WSGI has it, but for headers with `_` in their names: those stand apart, under `UNDERSCORED`.

    WSGI knows no difference between `X_Secret` and `X-Secret`; whoever checks or takes off the one (a proxy) does.
    """
    environ = {
        **_BASE,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode("utf-8", "replace").decode("latin-1"),  # as WSGI wants it
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        BODY: body,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            apart = environ.setdefault(UNDERSCORED, {})
            apart[name] = f"{apart[name]},{value}" if name in apart else value
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        between = "; " if key == "HTTP_COOKIE" else ","  # a proxy may hand on those of HTTP/2 one by one
        environ[key] = f"{environ[key]}{between}{value}" if key in environ else value
    return environ


def _answer(proto: Any, reply: Reply) -> None:
    body = reply.body.encode() if isinstance(reply.body, str) else reply.body
    headers = [("content-type", reply.content_type), *((name.lower(), value) for name, value in reply.headers.items())]
    _respond(proto, reply.status, headers, body)


def _respond(proto: Any, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    try:
        proto.response_bytes(status, headers, body)
    except ProtocolClosed:
        log.debug("the sender was gone before its answer (%s)", status)
