"""Secrets and people's data, kept out of logs, urls and error texts."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, urlsplit

MASK = "***"
_PHONE = re.compile(r"(?<![\w.-])\+?\d[\d\s().-]{7,17}\d(?![\w-])")
_ESCAPE = re.compile(r"%[0-9A-F]{2}")
#: what clients leave as it is in a path
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
# Every repetition is bounded or begins where a word begins: a stranger's 60 KB header must not cost seconds.
_PARAMETER = re.compile(r"(?i)(?<![\w-])([\w-]{0,40}(?:token|auth|secret|api_?key|password|signature)=)[^&\s\"'<>\\]+")
_EMAIL = re.compile(r"(?<![\w.+-])([\w.+-])[\w.+-]{0,100}@([\w-]{1,63}\.[\w.-]{1,190})")


#: what moves a terminal's cursor, ends a line or turns the reading direction
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def visible(text: str, keep: str = "") -> str:
    """Return text from outside fit for a terminal or a log: control characters in writing, but for those in `keep`."""
    return _CONTROL.sub(lambda found: found.group() if found.group() in keep else _written(found.group()), text)


def quoted(text: str) -> str:
    """Return text from outside as one word of a log line: no blank or `=` in it can be taken for the line's own."""
    return '"' + visible(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _written(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"


class Masker:
    """Replaces the known secrets of a connection by `***`, in every spelling they have in urls and JSON."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        words = {word for secret in secrets for word in spellings(secret) if len(word) >= 4}
        self._pattern = (
            re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))) if words else None
        )

    def mask(self, text: str) -> str:
        """Return the text without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def mask_call(self, text: str) -> str:
        """Return a url or what a vendor said, without secrets; tokens learned later are known by their parameter."""
        return _PARAMETER.sub(rf"\1{MASK}", self.mask(text))


def spellings(secret: str) -> set[str]:
    """Return a secret as it may be written: plain, percent-encoded one way or the other, in JSON (PHP escapes `/`).

    A secret that is an address (a webhook's) is known by its path alone, too: that is what error pages repeat.
    """
    texts = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    words = {secret, *texts, *(text.replace("/", "\\/") for text in texts)}
    encoded = {quote(secret, safe=safe) for safe in ("", "/", _URL_SAFE)} | {quote_plus(secret)}
    words |= encoded | {_ESCAPE.sub(lambda found: found.group().lower(), word) for word in encoded}
    with contextlib.suppress(ValueError):
        parts = urlsplit(secret)
        for part in (parts.path.strip("/"), parts.query, parts.password or "") if parts.netloc else ():
            if len(part) >= 8:
                words |= spellings(part)
    return words


def mask_person(text: str) -> str:
    """Return the text with phones and e-mails shortened to what still tells two of them apart in a log."""
    text = _EMAIL.sub(r"\1***@\2", text)
    return _PHONE.sub(_mask_phone, text)


def _mask_phone(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group())
    return f"{digits[:3]}***{digits[-2:]}" if 9 <= len(digits) <= 15 else match.group()


_SECRET_HEADERS = re.compile(r"auth|token|secret|key|signature|cookie|passw|credential|session", re.I)


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers fit to be shown: the values that authenticate are masked."""
    return {name: MASK if _SECRET_HEADERS.search(name) else value for name, value in headers.items()}


#: headers in which nobody sends a secret; which other one may carry one only the configuration says
_PLAIN_HEADERS = re.compile(
    r"(accept.*|cache-control|connection|content-.*|date|expect|forwarded|from|host|origin|pragma|range|referer|te"
    r"|transfer-encoding|user-agent|via|x-forwarded-.*|x-real-ip|x-request-id)$",
    re.I,
)


def mask_strangers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers of somebody who wasn't let in: a wrong secret may be yesterday's, or the one of next door."""
    return {
        name: value if _PLAIN_HEADERS.match(name) or not value else f"{MASK} ({len(value)} characters)"
        for name, value in headers.items()
    }
