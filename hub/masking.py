"""Secrets and people's data, kept out of logs, urls and error texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"
_PHONE = re.compile(r"(?<![\w.-])\+?\d[\d\s().-]{7,17}\d(?![\w-])")
_EMAIL = re.compile(r"([\w.+-])[\w.+-]*@([\w-]+\.[\w.-]+)")


class Masker:
    """Replaces the known secrets of a connection by `***`, plain and percent-encoded."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        from urllib.parse import quote

        words = {word for secret in secrets if len(secret) >= 4 for word in (secret, quote(secret, safe=""))}
        self._pattern = (
            re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))) if words else None
        )

    def mask(self, text: str) -> str:
        """Return the text without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def mask_person(text: str) -> str:
    """Return the text with phones and e-mails shortened to what still tells two of them apart in a log."""
    text = _EMAIL.sub(r"\1***@\2", text)
    return _PHONE.sub(_mask_phone, text)


def _mask_phone(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group())
    return f"{digits[:3]}***{digits[-2:]}" if 9 <= len(digits) <= 15 else match.group()


_SECRET_HEADERS = re.compile(r"auth|token|secret|key|signature|cookie", re.I)


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers fit to be shown: the values that authenticate are masked."""
    return {name: MASK if _SECRET_HEADERS.search(name) else value for name, value in headers.items()}


def mask_settings(settings: Mapping[str, Any], secret: Iterable[str]) -> dict[str, Any]:
    """Return settings fit to be shown: what the schema marks secret is masked."""
    hidden = set(secret)
    return {key: MASK if key in hidden and value else value for key, value in settings.items()}
