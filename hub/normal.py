"""One spelling for phones, e-mails and names, so that the same person is recognised whatever form they filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

_EMAIL = re.compile(
    r"^[^@\s<>\"',;:()\x00-\x1f\x7f]+@[^@\s<>\"',;:()\x00-\x1f\x7f]+\.[^@\s<>\"',;:().\x00-\x1f\x7f]{2,}$"
)
#: digits of a phone: fifteen (E.164), and what people write before them. What is longer is not remembered either
_LONGEST_PHONE = 25
#: RFC 5321, 4.5.3.1: 64 before the @ and 255 behind it. A stranger's domain of 100,000 labels took a second to encode
_LONGEST_EMAIL = 64 + 1 + 255
#: what turns the reading direction, has no width, or moves a terminal's cursor: a name with it reads as another one
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
#: joiners shape letters of Persian, Hindi and others, and hold emoji together; beside Latin, Greek and Cyrillic letters
#: (below U+0530), blanks, or at an end they only hide
_JOINERS = re.compile("(?:^|(?<=[\x00-\u052f\u2000-\u200a]))[\u200c\u200d]+|[\u200c\u200d]+(?=\\s|$)")
#: letters of what couldn't be read as phone or e-mail, and of a name, that go on into events; a receipt has them all
_LONGEST_RAW = 200
_NAMES = ("name", "first_name", "last_name", "middle_name")
_KEEP = re.compile(r"[^\d+]")
#: Cyrillic letters as words of hub.yaml have them
_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "є": "ie", "ё": "e", "ж": "zh", "з": "z",
    "и": "i", "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
    "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ы": "y",
    "э": "e", "ю": "iu", "я": "ia", "ь": "", "ъ": "",
}  # fmt: skip


def phone(text: str, region: str = "") -> str | None:
    """Return the number as E.164 (`+380671234567`), or None if it isn't a possible phone.

    `region` (ISO country) reads national spellings: `067 123-45-67`. In Russia and Kazakhstan a leading 8 stands
    for +7; a number written with its country code but without the plus (`380...`) is understood too.
    """
    digits = _KEEP.sub("", text or "")
    if not 7 <= len(digits.lstrip("+")) <= _LONGEST_PHONE:
        return None
    return _e164(digits, "" if digits.startswith("+") else region)


@lru_cache(maxsize=20_000)
def _e164(digits: str, region: str) -> str | None:
    spellings = [(digits, region or None)]
    if not digits.startswith("+"):
        spellings.append(("+" + digits, None))
    for spelling, where in spellings:
        try:
            number = phonenumbers.parse(spelling, where)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def email(text: str) -> str | None:
    """Return the address in lower case with an ASCII (IDNA) domain, or None if it can't be an address."""
    text = (text or "").strip().strip("<>")
    if len(text) > _LONGEST_EMAIL or not _EMAIL.match(text):
        return None
    local, _, domain = text.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return f"{local}@{domain}".lower()


def storable(text: str) -> str:
    """Return text that every database takes: NUL and halves of characters, which only an attacker sends, are marked."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def seen(text: str) -> str:
    """Return a name as it is seen: without bidi controls, letters of no width and control characters."""
    return _JOINERS.sub("", _UNSEEN.sub("", text))


def short(text: str, most: int = _LONGEST_RAW) -> str:
    """Return the text, cut with an ellipsis where it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def split_name(name: str) -> tuple[str, str]:
    """Return (first name, the rest) of a name as people type it into one field."""
    first, _, rest = " ".join((name or "").split()).partition(" ")
    return first, rest


def contact(region: str = "", **given: str | None) -> dict[str, object]:
    """Build a Contact record from raw fields: name, first_name, last_name, phone, email, handle, ...

    Phone and e-mail are normalised; what can't be is kept as `phone_raw` / `email_raw` so that nothing is lost. Names
    are taken as they are seen.
    """
    named = {key: short(seen(str(value))) if key in _NAMES else value for key, value in given.items() if value}
    record: dict[str, object] = {key: value for key, value in named.items() if value}
    name = str(record.get("name") or "").strip()
    if name and not record.get("first_name"):
        first, last = split_name(name)
        record["first_name"] = first
        if last and not record.get("last_name"):
            record["last_name"] = last
    if not name:
        parts = [str(record.get(key) or "") for key in ("first_name", "last_name")]
        if joined := " ".join(part for part in parts if part):
            record["name"] = joined
    if raw := given.get("phone"):
        number = phone(raw, region)
        record.pop("phone", None)
        if number:
            record["phone"], record["phones"] = number, [number]
        else:
            record["phone_raw"] = short(raw)
    if raw := given.get("email"):
        address = email(raw)
        record.pop("email", None)
        if address:
            record["email"], record["emails"] = address, [address]
        else:
            record["email_raw"] = short(raw)
    return record


def word(label: str) -> str:
    """Return a name as a word for hub.yaml: `Магазин: До відправки` -> `magazin_do_vidpravki`; "" for signs alone."""
    latin = "".join(_CYRILLIC.get(letter, letter) for letter in label.lower())
    return re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:40].strip("_")


def worded(rows: Iterable[tuple[str, str, str]]) -> dict[str, tuple[str, str]]:
    """Give each of a vendor's codes one word: (code, label, what the word is made of) -> word -> (code, label).

    A word that is taken gets a number; where nothing is left of a name, the code serves.
    """
    out: dict[str, tuple[str, str]] = {}
    seen: set[str] = set()
    for code, label, name in rows:
        if code in seen:
            continue
        seen.add(code)
        base = found = word(name) or f"x{word(code)}"
        number = 2
        while found in out:
            found, number = f"{base}_{number}", number + 1
        out[found] = (code, label)
    return out
