"""What names one human in any text: phones in every spelling, addresses, handles, full names. Pure.

Used where a person is erased: what is theirs goes whole, and what merely mentions them (an alert, somebody else's
record) loses these words and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import phonenumbers

from hub.masking import MASK, spellings

#: what may stand between the digits of a phone, in texts, urls and JSON
_GAP = r"(?:[\s().\-/+]|%20|%28|%29|%2[dD]|\\u00a0|&nbsp;){0,3}"
#: a word may begin where none goes on, after an escape of JSON, or after one of a url
_BEGINS = r"(?:(?<![\w.+-])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
#: shorter handles and names are words of a language: they would be found everywhere
SHORTEST = 5


class Needles:
    """The words that name a person. `found` and `redacted` look for phones, addresses and handles, which are nobody
    else's; for names only where asked, since two people may have one.
    """

    def __init__(
        self, phones: Iterable[str] = (), emails: Iterable[str] = (), handles: Iterable[str] = (),
        names: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.phones, self.emails = frozenset(phones), frozenset(emails)
        self.handles = frozenset(one for one in handles if len(one) >= SHORTEST)
        self.names = frozenset(" ".join(one.split()) for one in names if len(one.split()) > 1)
        #: first and last names: in a request that names the person, a field that says one of them is theirs
        self.parts = frozenset(word.casefold() for one in self.names for word in one.split())
        sure = [_phone(one) for one in sorted(self.phones)]
        sure += [_word(one) for one in sorted(self.emails | self.handles)]
        self._sure = re.compile("|".join(sure), re.IGNORECASE) if sure else None
        said = [*sure, *(_word(one) for one in sorted(self.names))]
        self._said = re.compile("|".join(said), re.IGNORECASE) if said else None

    def __bool__(self) -> bool:
        return self._said is not None

    def found(self, text: str, names: bool = False) -> bool:
        """Return whether the text names the person."""
        pattern = self._said if names else self._sure
        return pattern is not None and pattern.search(text) is not None

    def redacted(self, text: str, names: bool = False) -> str:
        """Return the text with `***` in place of what names the person."""
        pattern = self._said if names else self._sure
        return pattern.sub(MASK, text) if pattern is not None else text

    def redacted_json(self, text: str, names: bool = False, parts: bool = False) -> str:
        """The same for JSON, which stays JSON: a number that is a phone becomes null. Other text is taken as it is.

        parts: a value that is nothing but a first or last name goes, too.
        """
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return self.redacted(text, names)
        return orjson.dumps(self._walk(value, names, parts)).decode()

    def _walk(self, value: Any, names: bool, parts: bool) -> Any:
        if isinstance(value, str):
            return MASK if parts and value.strip().casefold() in self.parts else self.redacted(value, names)
        if isinstance(value, Mapping):
            return {self.redacted(str(key), names): self._walk(one, names, parts) for key, one in value.items()}
        if isinstance(value, list):
            return [self._walk(one, names, parts) for one in value]
        if isinstance(value, int) and not isinstance(value, bool) and self.found(str(value)):
            return None
        return value


def _phone(number: str) -> str:
    """Return a pattern for a phone in E.164 as people, forms and urls write it."""
    digits = re.sub(r"\D", "", number)
    try:
        parsed = phonenumbers.parse("+" + digits)
        country, national = str(parsed.country_code), digits[len(str(parsed.country_code)) :]
    except phonenumbers.NumberParseException:
        country, national = "", digits
    code = f"(?:(?:\\+|%2B|00)?{_GAP}{country}{_GAP})?" if country else ""
    begins = r"(?:(?<![0-9])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
    return rf"{begins}(?:\+|%2B)?{code}(?:[08]{_GAP})?{_GAP.join(national)}(?![0-9])"


def _word(word: str) -> str:
    """Return a pattern for a word in every spelling it has in urls and JSON, not as a part of a longer one."""
    written = sorted(spellings(word) | {word}, key=len, reverse=True)
    return rf"{_BEGINS}(?:{'|'.join(re.escape(one) for one in written)})(?![\w-]|\.\w)"
