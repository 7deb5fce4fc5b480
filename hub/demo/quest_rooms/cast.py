"""Who plays: guests who call, write and fill in forms, and the shapes in which all of that arrives."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from hub.demo import letters
from hub.demo.letters import Letter, Person, Samples

SAMPLES = Samples(__package__ or "hub.demo.quest_rooms")


class Guest(Person):
    """Somebody in Russia with a phone."""

    region = "RU"
    start = "+791600000"
    spellings = (
        "+7 (916) 000-00-{}", "8 916 000 00 {}", "8916000{:>04}", "8 (916) 000 00 {}", "916 000-00-{}", "+7916 00000{}",
    )  # fmt: skip


class Follower(Person):
    """Somebody on Instagram: no phone and no address, only an id that holds for our account."""

    region = "RU"
    start = "10000000000000"
    spellings = ("10000000000000{}",)

    @property
    def phone(self) -> str:
        """There is none."""
        return ""

    @property
    def id(self) -> str:
        """The id at Instagram."""
        return f"{self.start}{self.last}"

    @property
    def handle(self) -> str:
        """The name that is shown there."""
        return f"guest.{self.last}"

    @property
    def names(self) -> tuple[str, ...]:
        """What a contact made of them may be called: by what was known then."""
        return self.name, self.handle, self.id


# --- the site's forms -------------------------------------------------------------------------------------------------


def page(
    person: Guest, time: int, quest: str, words: str, utm: tuple[str, str] = ("", ""), session: str = ""
) -> Letter:
    """The booking page's own script: JSON, with the marks and the Calltouch session of the visit."""
    body = json.loads(SAMPLES.body("page-json.webhook.json"))
    for name in ("city", "branch", "service"):
        del body[name]
    body |= {"form": "booking", "name": person.name, "phone": person.spelling(time), "email": person.email}
    body |= {"quest": quest, "comment": words, "session_id": session, "utm_source": utm[0], "utm_campaign": utm[1]}
    return Letter("site", "booking form", json.dumps(body, ensure_ascii=False).encode(), "application/json")


def elementor(person: Guest, time: int, words: str) -> Letter:
    """An Elementor form: labels instead of ids, the marks in the page's address."""
    answers = {
        "Имя": person.name, "Телефон": person.spelling(time), "Email": person.email, "Сообщение": words,
        "Page URL": "https://quests.example/gift?utm_source=yandex&utm_medium=cpc&utm_campaign=gift",
        "form_name": "Подарочная карта",
    }  # fmt: skip
    return Letter("site", "Elementor form", SAMPLES.pairs("elementor-plain.webhook.txt", answers, without=("Размер",)))


# --- the same and others, with the vendors' signatures ----------------------------------------------------------------


def instagram(body: Any, secret: str, what: str) -> Letter:
    """A webhook of Meta's: signed over the raw body."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    signature = hmac.digest(secret.encode(), raw, hashlib.sha256).hex()
    headers = (("X-Hub-Signature-256", f"sha256={signature}"),)
    return Letter("insta", what, raw, "application/json", secret="", headers=headers)


def from_an_ad() -> dict[str, Any]:
    """What a message from an advertisement carries, as recorded: text and referral."""
    element = json.loads(SAMPLES.body("messages-ad-referral.webhook.json"))["entry"][0]["messaging"][0]
    return {name: value for name, value in element["message"].items() if name != "mid"}


def edited(person: Follower, secret: str) -> Letter:
    """Somebody edits a message: genuine, and no route's business."""
    body = json.loads(SAMPLES.body("message-edit.webhook.json"))
    body["entry"][0]["messaging"][0]["sender"] = {"id": person.id}
    return instagram(body, secret, "an edited message")


def unisender(event: Mapping[str, Any] | None, retry: int = 0) -> bytes:
    """Return the bytes of a webhook of Unisender's as its stand-in signs them; None is the recorded unknown one."""
    from plugins.unisender.sandbox.outbox import signed

    name = "made.unknown.webhook.json" if event is None else "classic.email_status.webhook.json"
    body = json.loads(SAMPLES.body(name))
    if event is not None:
        body["events_by_user"][0]["events"][0] = dict(event)
    return signed({**body, **({"retry_count": retry} if retry else {})})


# --- strangers and robots ---------------------------------------------------------------------------------------------

BROKEN_JSON, BRACKETS = letters.broken_json("site"), letters.brackets("site")
BY_GET, TOO_LARGE = letters.by_get("site"), letters.too_large("site")
NO_SUCH_DOOR = letters.NO_SUCH_DOOR
WRONG_SECRET = Letter("site", "wrong secret", SAMPLES.body("elementor-plain.webhook.txt"), secret="0" * 32)
FORGED_DEAL = Letter("crm", "a forged webhook", SAMPLES.body("leads-update.webhook.txt"), secret="0" * 20)
GONE_DEAL = Letter("crm", "news of a deal that is gone", SAMPLES.body("leads-update.webhook.txt"))
FORGED_CALL = Letter("calls", "a forged hook", SAMPLES.body("lead.request.reconstructed.webhook.txt"), secret="0" * 16)
FORGED_BOUNCE = Letter(
    "letters", "a bounce nobody signed",
    SAMPLES.body("classic.email_status.webhook.json").replace(b"ok_delivered", b"err_user_unknown"), "application/json",
)  # fmt: skip
