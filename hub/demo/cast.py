"""Who plays: people with phones in every spelling, and the shapes in which their forms arrive.

The bodies are the recorded samples beside this file with other answers put in; nothing else of them is touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import count
from urllib.parse import parse_qsl, urlencode

_SAMPLES = files("hub.demo") / "samples"
_URLENCODED = "application/x-www-form-urlencoded"
#: how people write the same number; `{}` is its last two digits
_SPELLINGS = (
    "+38 (067) 000-00-{}", "067 000 00 {}", "0670000{:>03}", "+380 67 000 00 {}", "(067) 000-00-{}", "38067 00000{}",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody who fills in forms. `last` are the last two digits of the phone."""

    name: str
    last: str

    @property
    def phone(self) -> str:
        """The number as the hub keeps it."""
        return f"+3806700000{self.last}"

    @property
    def email(self) -> str:
        """An address; not every form asks for it."""
        return f"client{self.last}@example.com"

    def spelling(self, number: int) -> str:
        """Return the phone as this person writes it the n-th time."""
        return _SPELLINGS[(int(self.last) + number) % len(_SPELLINGS)].format(self.last)


@dataclass(frozen=True)
class Letter:
    """One request to the hub. `secret` None is the door's own; "" is none at all."""

    door: str
    what: str
    body: bytes
    content_type: str = _URLENCODED
    query: tuple[tuple[str, str], ...] = ()
    secret: str | None = None
    method: str = "POST"

    def to(self, door: str, kind: str = "") -> Letter:
        """Return the same form sent through another door, saying which kind of form it is."""
        return replace(self, door=door, query=(("form", kind),) if kind else self.query)


# --- samples ----------------------------------------------------------------------------------------------------------


def sample(name: str) -> bytes:
    """Return the body of a recorded request."""
    content = (_SAMPLES / name).read_bytes()
    if content.startswith((b"POST ", b"Content-Type: ")):
        content = content.partition(b"\n\n")[2]
    return content.strip()


def pairs(name: str, answers: Mapping[str, str], without: tuple[str, ...] = ()) -> bytes:
    """Return a urlencoded sample with other answers; a field it doesn't have is added at the end."""
    found = dict(parse_qsl(sample(name).decode(), keep_blank_values=True))
    unknown = [field for field in without if field not in found]
    if unknown:
        raise KeyError(f"{name} has no {', '.join(unknown)}")
    kept = {field: value for field, value in found.items() if field not in without}
    return urlencode({**kept, **answers}).encode()


# --- the four shapes --------------------------------------------------------------------------------------------------

Shape = Callable[[Person, int, str], Letter]
_submissions = count(8442971)


def tilda(person: Person, time: int, words: str) -> Letter:
    """Tilda: urlencoded, each submission with an id of its own that stays the same when Tilda sends again."""
    answers = {"Name": person.name, "Phone": person.spelling(time), "Email": person.email, "Comments": words}
    body = pairs("tilda-form.webhook.txt", {**answers, "tranid": f"467251:{next(_submissions)}"})
    return Letter("questions", "Tilda form", body)


def contact_form_7(person: Person, time: int, words: str) -> Letter:
    """Contact Form 7: JSON, no id."""
    body = json.loads(sample("cf7-to-webhook.webhook.json"))
    body |= {"your-name": person.name, "your-phone": person.spelling(time), "your-email": person.email}
    content = json.dumps({**body, "quest": [], "your-message": words}, ensure_ascii=False).encode()
    return Letter("questions", "Contact Form 7", content, "application/json")


def elementor(person: Person, time: int, words: str) -> Letter:
    """Elementor with its advanced data: every field with id, type, title and value."""
    answers = {
        "fields[name][value]": person.name,
        "fields[name][raw_value]": person.name,
        "fields[phone][value]": person.spelling(time),
        "fields[message][id]": "message",
        "fields[message][type]": "textarea",
        "fields[message][title]": "Питання",
        "fields[message][value]": words,
    }
    return Letter("questions", "Elementor form", pairs("elementor-advanced.webhook.txt", answers))


def plain(person: Person, time: int, words: str) -> Letter:
    """A form of one's own, as a browser sends it."""
    answers = {"name": person.name, "phone": person.spelling(time), "message": words}
    return Letter("questions", "plain form", pairs("plain-form.webhook.txt", answers))


def cart(person: Person, time: int, city: str, branch: str, amount: str) -> Letter:
    """A paid cart of Tilda's: goods, city and branch."""
    answers = {
        "Name": person.name,
        "Phone": person.spelling(time),
        "Місто": city,
        "Відділення Нової пошти": branch,
        "payment[amount]": amount,
        "payment[products][0][amount]": amount,
        "payment[products][0][price]": amount,
        "payment[products][0][quantity]": "1",
        "tranid": f"467251:{next(_submissions)}",
    }
    second = tuple(f"payment[products][1][{name}]" for name in ("name", "quantity", "amount"))
    return Letter("site", "Tilda cart", pairs("tilda-cart.webhook.txt", answers, without=second))


# --- strangers and robots ---------------------------------------------------------------------------------------------

TILDA_PING = Letter("questions", "Tilda's test of the address", sample("tilda-test-ping.webhook.txt"))
BROKEN_JSON = Letter("questions", "broken JSON", b'{"your-name": "Test", "your-phone": ', "application/json")
BRACKETS = Letter("questions", "100 kB of brackets", b"[" * 100_000, "application/json")
WRONG_SECRET = Letter("questions", "wrong secret", sample("plain-form.webhook.txt"), secret="0" * 32)
NO_SECRET = Letter("questions", "no secret", sample("plain-form.webhook.txt"), secret="")
NO_SUCH_DOOR = Letter("wp-login", "unknown address", b"log=admin&pwd=admin", secret="")
BY_GET = Letter("questions", "opened in a browser", b"", "", method="GET")
TOO_LARGE = Letter("questions", "1.2 MB of text", b"message=" + b"x" * 1_200_000)
WRONG_TOKEN = Letter(
    "crm",
    "an event of a stranger's portal",
    pairs("ONCRMDEALUPDATE-outgoing-minimal.webhook.txt", {"auth[application_token]": "somebody_elses_token"}),
)
UNKNOWN_EVENT = Letter(
    "crm",
    "an event nobody has described",
    pairs("ONCRMDYNAMICITEMUPDATE.webhook.txt", {"event": "ONCRMREQUISITEUPDATE"}),
)
GONE_DEAL = Letter("crm", "news of a deal that is gone", sample("ONCRMDEALADD-to-outgoing-webhook.webhook.txt"))
