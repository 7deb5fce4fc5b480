"""What comes in from outside: people with a phone in every spelling, and recorded requests with other answers in them.

The bodies are the samples beside a company's cast; nothing else of them is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode

URLENCODED = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Person:
    """Somebody who writes, calls or fills in forms. `last` are the last two digits of the phone."""

    name: str
    last: str
    #: the country whose national spellings they use
    region: ClassVar[str] = ""
    #: the number without its last two digits, as the hub keeps it
    start: ClassVar[str] = ""
    #: how people write the same number; `{}` is its last two digits
    spellings: ClassVar[tuple[str, ...]] = ()

    @property
    def phone(self) -> str:
        """The number as the hub keeps it."""
        return f"{self.start}{self.last}"

    @property
    def email(self) -> str:
        """An address; not every form asks for it."""
        return f"client{self.last}@example.com"

    def spelling(self, number: int) -> str:
        """Return the phone as this person writes it the n-th time."""
        return self.spellings[(int(self.last) + number) % len(self.spellings)].format(self.last)


@dataclass(frozen=True)
class Letter:
    """One request to the hub. `secret` None is the door's own; "" is none at all."""

    door: str
    what: str
    body: bytes
    content_type: str = URLENCODED
    query: tuple[tuple[str, str], ...] = ()
    secret: str | None = None
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()

    def to(self, door: str, kind: str = "") -> Letter:
        """Return the same form sent through another door, saying which kind of form it is."""
        return replace(self, door=door, query=(("form", kind),) if kind else self.query)


class Samples:
    """The recorded requests of a company: the folder `samples` in its package."""

    def __init__(self, package: str) -> None:
        self.folder = files(package) / "samples"

    def body(self, name: str) -> bytes:
        """Return the body of a recorded request."""
        content = (self.folder / name).read_bytes()
        if content.startswith((b"POST ", b"Content-Type: ")):
            content = content.partition(b"\n\n")[2]
        return content.strip()

    def pairs(self, name: str, answers: Mapping[str, str], without: tuple[str, ...] = ()) -> bytes:
        """Return a urlencoded sample with other answers; a field it doesn't have is added at the end."""
        found = dict(parse_qsl(self.body(name).decode(), keep_blank_values=True))
        unknown = [field for field in without if field not in found]
        if unknown:
            raise KeyError(f"{name} has no {', '.join(unknown)}")
        kept = {field: value for field, value in found.items() if field not in without}
        return urlencode({**kept, **answers}).encode()


# --- strangers, at any company's door ---------------------------------------------------------------------------------

NO_SUCH_DOOR = Letter("wp-login", "unknown address", b"log=admin&pwd=admin", secret="")


def broken_json(door: str) -> Letter:
    """A body that ends too early."""
    return Letter(door, "broken JSON", b'{"your-name": "Test", "your-phone": ', "application/json")


def brackets(door: str) -> Letter:
    """A body that wants to exhaust the parser."""
    return Letter(door, "100 kB of brackets", b"[" * 100_000, "application/json")


def too_large(door: str) -> Letter:
    """A body over the limit of a form without files."""
    return Letter(door, "1.2 MB of text", b"message=" + b"x" * 1_200_000)


def by_get(door: str) -> Letter:
    """Somebody opens a form's address in a browser."""
    return Letter(door, "opened in a browser", b"", "", method="GET")
