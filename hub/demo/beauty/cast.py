"""Who plays: people with phones in every spelling, and the shapes in which their forms arrive."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count

from hub.demo import letters
from hub.demo.letters import Letter, Person, Samples

SAMPLES = Samples(__package__ or "hub.demo.beauty")


class Client(Person):
    """Somebody in Ukraine who fills in forms."""

    region = "UA"
    start = "+3806700000"
    spellings = (
        "+38 (067) 000-00-{}", "067 000 00 {}", "0670000{:>03}", "+380 67 000 00 {}", "(067) 000-00-{}",
        "38067 00000{}",
    )  # fmt: skip


# --- the four shapes --------------------------------------------------------------------------------------------------

Shape = Callable[[Client, int, str], Letter]
_submissions = count(8442971)


def tilda(person: Client, time: int, words: str) -> Letter:
    """Tilda: urlencoded, each submission with an id of its own that stays the same when Tilda sends again."""
    answers = {"Name": person.name, "Phone": person.spelling(time), "Email": person.email, "Comments": words}
    body = SAMPLES.pairs("tilda-form.webhook.txt", {**answers, "tranid": f"467251:{next(_submissions)}"})
    return Letter("questions", "Tilda form", body)


def contact_form_7(person: Client, time: int, words: str) -> Letter:
    """Contact Form 7: JSON, no id."""
    body = json.loads(SAMPLES.body("cf7-to-webhook.webhook.json"))
    body |= {"your-name": person.name, "your-phone": person.spelling(time), "your-email": person.email}
    content = json.dumps({**body, "quest": [], "your-message": words}, ensure_ascii=False).encode()
    return Letter("questions", "Contact Form 7", content, "application/json")


def elementor(person: Client, time: int, words: str) -> Letter:
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
    return Letter("questions", "Elementor form", SAMPLES.pairs("elementor-advanced.webhook.txt", answers))


def plain(person: Client, time: int, words: str) -> Letter:
    """A form of one's own, as a browser sends it."""
    answers = {"name": person.name, "phone": person.spelling(time), "message": words}
    return Letter("questions", "plain form", SAMPLES.pairs("plain-form.webhook.txt", answers))


def cart(person: Client, time: int, city: str, branch: str, amount: str) -> Letter:
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
    return Letter("site", "Tilda cart", SAMPLES.pairs("tilda-cart.webhook.txt", answers, without=second))


# --- strangers and robots ---------------------------------------------------------------------------------------------

TILDA_PING = Letter("questions", "Tilda's test of the address", SAMPLES.body("tilda-test-ping.webhook.txt"))
BROKEN_JSON, BRACKETS = letters.broken_json("questions"), letters.brackets("questions")
WRONG_SECRET = Letter("questions", "wrong secret", SAMPLES.body("plain-form.webhook.txt"), secret="0" * 32)
NO_SECRET = Letter("questions", "no secret", SAMPLES.body("plain-form.webhook.txt"), secret="")
NO_SUCH_DOOR = letters.NO_SUCH_DOOR
BY_GET, TOO_LARGE = letters.by_get("questions"), letters.too_large("questions")
WRONG_TOKEN = Letter(
    "crm",
    "an event of a stranger's portal",
    SAMPLES.pairs("ONCRMDEALUPDATE-outgoing-minimal.webhook.txt", {"auth[application_token]": "somebody_elses_token"}),
)
UNKNOWN_EVENT = Letter(
    "crm",
    "an event nobody has described",
    SAMPLES.pairs("ONCRMDYNAMICITEMUPDATE.webhook.txt", {"event": "ONCRMREQUISITEUPDATE"}),
)
GONE_DEAL = Letter("crm", "news of a deal that is gone", SAMPLES.body("ONCRMDEALADD-to-outgoing-webhook.webhook.txt"))
