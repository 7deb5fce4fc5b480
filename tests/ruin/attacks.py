"""What strangers send: raw bytes on a socket, since no decent client would make most of it.

`Door` is one connection's way in with its proof, so that an attack can also come from someone who holds the secret.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Door:
    """A connection's address, what proves a sender there, and a request it must take."""

    connection: str
    tail: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    good: bytes = b""
    good_type: str = JSON
    #: form fields that carry the proof, where it stands in the body
    proof: bytes = b""
    secrets: tuple[str, ...] = field(default=())

    @property
    def path(self) -> str:
        """The address with its secret."""
        return f"/in/{self.connection}" + (f"/{self.tail}" if self.tail else "")


def request(
    path: str, body: bytes = b"", kind: str = JSON, headers: tuple[tuple[str, str], ...] = (), method: str = "POST",
    length: str | None = None,
) -> bytes:  # fmt: skip
    """Return the bytes of an HTTP request; `length` overrides what is said of the body, "" says nothing."""
    said = str(len(body)) if length is None else length
    lines = [f"{method} {path} HTTP/1.1", "Host: hub", "Connection: close", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {said}"] if said else []
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def chunked(path: str, chunks: list[bytes], kind: str = JSON, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a request whose body comes in chunks and without a length."""
    head = request(path, b"", kind, (*headers, ("Transfer-Encoding", "chunked")), length="")
    return head + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"


def talk(port: int, data: bytes, within: float = 20.0) -> int:
    """Send bytes and return the status of the answer: 0 = hung up without one. Raises TimeoutError on a hang."""
    with socket.create_connection(("127.0.0.1", port), within) as one:
        one.settimeout(within)
        answer = b""
        # It may answer before it has read all: that answer is what counts.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            one.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while b"\r\n" not in answer and (more := one.recv(65536)):
                answer += more
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def bodies(large: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, content type, body) of bodies that nobody sane sends; `large` scales the heavy ones."""
    deep = large // 20
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    yield "nested lists", JSON, b"[" * deep + b"]" * deep
    yield "open lists", JSON, b"[" * deep
    yield "nested objects", JSON, b'{"a":' * deep + b"1" + b"}" * deep
    yield "nested form keys", FORM, b"a" + b"[b]" * deep + b"=1"
    yield "large JSON", JSON, b'{"a":"' + b"x" * large + b'"}'
    yield "large form", FORM, b"a=" + b"x" * large
    yield "huge", "application/octet-stream", b"\0" * (3 * large)
    yield "many keys", JSON, json.dumps({f"k{n}": n for n in range(12_000)}).encode()
    yield "many fields", FORM, b"&".join(b"k%d=1" % n for n in range(12_000))
    yield "many empty fields", FORM, b"&" * (large // 4)
    yield "many brackets", FORM, b"[" * (large // 4)
    yield "broken UTF-8", JSON, b'{"a":"\xff\xfe\xc3\x28"}'
    yield "broken UTF-8 form", FORM, b"a=\xff\xfe%ff%c3%28&\xff=1"
    yield "NUL", JSON, b'{"event":"a\\u0000b","id":"\\u0000","ID":"\0"}'
    yield "NUL form", FORM, b"event=%00&id=1%00&\0=\0&data[FIELDS][ID]=%00"
    yield "surrogates", JSON, b'{"event":"\\ud800","id":"\\udfff"}'
    yield "large numbers", JSON, b'{"id":' + b"9" * 5000 + b',"ts":1e999,"x":-0.0}'
    yield "not a number", JSON, b'{"id":NaN,"ts":Infinity}'
    yield "twice", JSON, b'{"id":1,"id":2}'
    yield "null", JSON, b"null"
    yield "nothing", JSON, b""
    yield "a string", JSON, b'"x"'
    yield "list of anything", JSON, b'[1,null,[],{},"x"]'
    yield "no boundary", "multipart/form-data", b"--x\r\n\r\nabc"
    yield "broken multipart", "multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n"
    yield (
        "many parts",
        "multipart/form-data; boundary=x",
        part * 2000,
    )
    yield "xml bomb", "application/xml", b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    yield "gzip", JSON, b"\x1f\x8b\x08\x00garbage"
    yield "odd charset", FORM + "; charset=utf-7", b"a=+AGE-&b=\xe0"
    yield "unknown charset", FORM + "; charset=\x00nonsense", b"a=b"


def requests(door: Door, large: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of the attacks on one door: by strangers, and by someone who holds the secret."""
    stranger = f"/in/{door.connection}"
    many = tuple((f"X-{n}", "1") for n in range(5000))
    for name, kind, body in bodies(large):
        yield f"{name}, no proof", request(stranger, body, kind)
        yield f"{name}, with proof", request(door.path, body, kind, door.headers)
        if door.proof and kind.startswith(FORM):
            yield f"{name}, proof in the body", request(door.path, door.proof + b"&" + body, kind, door.headers)
    for kind in ("text/plain", "image/png", "application/json; charset=\xff", "", "a/b/c;;;=", JSON):
        yield f"content type {kind!r}", request(door.path, door.good, kind, door.headers)
    for bad in ("wrong", "п" * 40, "\xff\xfe", "x" * 5000, "", "=" * 64):
        headers = tuple((name, bad) for name, _ in door.headers)
        yield f"bad proof {bad[:6]!r}", request(f"{stranger}/{'%D0%BF%FF%00'}", door.good, door.good_type, headers)
        yield f"bad tail {bad[:6]!r}", request(stranger + "/wrong/%2e%2e/..", door.good, door.good_type, headers)
    yield "chunked", chunked(door.path, [door.good[:7], door.good[7:]], door.good_type, door.headers)
    yield "chunked and large", chunked(door.path, [b"x" * 65536] * (large // 16384), JSON, door.headers)
    yield "broken chunks", chunked(door.path, [], JSON, door.headers)[:-5] + b"zz\r\nabc\r\n0\r\n\r\n"
    yield (
        "both lengths",
        request(door.path, door.good, door.good_type, (*door.headers, ("Transfer-Encoding", "chunked"))),
    )
    for said in ("-1", "99999999999999", "abc", "1e3", "0"):
        yield f"length {said}", request(door.path, door.good, door.good_type, door.headers, length=said)
    yield "large header", request(door.path, door.good, door.good_type, (*door.headers, ("X-Large", "x" * 60_000)))
    yield (
        "many headers",
        request(door.path, door.good, door.good_type, (*door.headers, *many[:90])),
    )
    yield "too many headers", request(door.path, door.good, door.good_type, many)
    yield "large query", request(f"{door.path}?{'a=b&' * 10_000}", door.good, door.good_type, door.headers)
    yield "odd query", request(f"{door.path}?%00=%ff&[]=1&a[b", door.good, door.good_type, door.headers)
    yield "NUL in the path", request(f"{door.path}%00", door.good, door.good_type, door.headers)
    yield "bytes in the path", request(f"{stranger}/\xff\xfe", door.good, door.good_type, door.headers)
    yield "long path", request(f"{stranger}/{'a' * 7000}", door.good, door.good_type, door.headers)
    for method in ("GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "post"):
        yield f"method {method}", request(door.path, door.good, door.good_type, door.headers, method)
    yield "no such connection", request("/in/nobody%00%ff/x", door.good)
    yield "not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n"
