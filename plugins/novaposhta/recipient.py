"""Who receives: a name and a phone as people write them, made into what the vendor accepts. Pure.

The vendor wants surname and first name apart, letters only, no word twice, and the phone as 380XXXXXXXXX.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import Refused
from plugins.novaposhta.schemas import vendor_phone

_APOSTROPHES = re.compile(r"[`´’ʼ‘′]")
_NAME = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*\.?")
_PATRONYMIC = re.compile(r".+(ович|йович|євич|евич|івна|ївна|овна|евна|ічна|ыч|ич)", re.I)
#: endings of surnames that first names don't have
_SURNAME = re.compile(
    r".+(енко|єнко|чук|щук|нюк|люк|рюк|дюк|цюк|ський|ська|цький|цька|зький|зька|ишин|ишина|ская|ский|швілі|ідзе|"
    r"ченя|ейко|айко|ійко|ова|єва|ева|ько)",
    re.I,
)


@dataclass(frozen=True)
class Name:
    """A person's name in its parts; `middle` (patronymic) may be empty."""

    first: str
    last: str
    middle: str = ""


@dataclass(frozen=True)
class Recipient:
    """Who receives, ready for Counterparty.save."""

    name: Name
    phone: str

    def properties(self) -> dict[str, str]:
        """Return the properties of Counterparty.save for a private person."""
        return {
            "CounterpartyType": "PrivatePerson",
            "CounterpartyProperty": "Recipient",
            "FirstName": self.name.first,
            "MiddleName": self.name.middle,
            "LastName": self.name.last,
            "Phone": self.phone,
        }


def read(values: Mapping[str, Any]) -> tuple[Recipient | None, dict[str, str]]:
    """Read `name` (or `first_name`, `last_name`, `middle_name`) and `phone`; return the recipient or what is wrong.

    The problems are {value: words}, all of them at once.
    """
    problems: dict[str, str] = {}
    name = _name(values, problems)
    raw = str(values.get("phone") or "").strip()
    phone = vendor_phone(raw)
    if not raw:
        problems["phone"] = "no recipient phone: `phone` is empty"
    elif phone is None:
        problems["phone"] = f"recipient phone {raw!r} is not a Ukrainian number (380XXXXXXXXX)"
    return (Recipient(name, phone), problems) if name and phone else (None, problems)


def changes(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties that change a saved person; what isn't given isn't named. `Refused` for what can't be."""
    problems: dict[str, str] = {}
    out: dict[str, str] = {}
    if any(values.get(key) for key in ("name", "first_name", "last_name")):
        if values.get("name") or (values.get("first_name") and values.get("last_name")):
            if name := _name(values, problems):
                out = {"FirstName": name.first, "LastName": name.last, "MiddleName": name.middle}
        else:
            problems["name"] = "give surname and first name together"
    if values.get("phone") and (phone := vendor_phone(values["phone"])):
        out["Phone"] = phone
    elif values.get("phone"):
        problems["phone"] = f"phone {values['phone']!r} is not a Ukrainian number (380XXXXXXXXX)"
    if values.get("email"):
        out["Email"] = str(values["email"])
    if problems:
        raise Refused(f"the person can't be changed: {'; '.join(problems.values())}", problems)
    return out


def _name(values: Mapping[str, Any], problems: dict[str, str]) -> Name | None:
    parts = [_clean(values.get(key)) for key in ("first_name", "last_name", "middle_name")]
    whole = _clean(values.get("name"))
    if not (parts[0] and parts[1]) and not whole:
        problems["name"] = "no recipient name: `name` is empty"
        return None
    name = Name(*parts) if parts[0] and parts[1] else split(whole)
    if name is None:
        problems["name"] = f"recipient name {whole!r}: Nova Poshta wants surname and first name"
        return None
    words = [word for part in (name.last, name.first, name.middle) for word in part.split()]
    if strange := [word for word in words if not _NAME.fullmatch(word)]:
        problems["name"] = f"recipient name: {', '.join(map(repr, strange))} holds more than letters"
    elif len({word.lower() for word in words}) < len(words):
        problems["name"] = f"recipient name {' '.join(words)!r}: a word stands twice, Nova Poshta refuses that"
    return None if "name" in problems else name


def _clean(value: Any) -> str:
    text = _APOSTROPHES.sub("'", str(value or "")).replace(",", " ").replace("\xa0", " ")
    return " ".join(text.split())


def split(whole: str) -> Name | None:
    """Split a name written in one field; None if it has fewer than two words.

    A patronymic tells the order: "Коваль Олена Іванівна" or "Олена Іванівна Коваль". Without one, a first word that
    ends like a surname and a second that doesn't is surname first; otherwise the first word is the first name.
    """
    words = whole.split()
    if len(words) < 2:
        return None
    if len(words) >= 3:
        if _PATRONYMIC.fullmatch(words[2]):
            return Name(words[1], words[0], words[2])
        if _PATRONYMIC.fullmatch(words[1]):
            return Name(words[0], " ".join(words[2:]), words[1])
    if _SURNAME.fullmatch(words[0]) and not _SURNAME.fullmatch(words[1]):
        return Name(words[1], words[0], " ".join(words[2:]))
    return Name(words[0], " ".join(words[1:]))
