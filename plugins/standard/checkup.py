"""`hub check --live`: can the secrets be used, and does the other side answer?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.errors import HubError
from hub.model import Finding
from hub.session import Session
from plugins.standard import signing

#: bytes of a key: "between 24 bytes (192 bits) and 64 bytes (512 bits)", the specification's "Symmetric" signatures
SHORTEST_KEY = 24
#: letters of a secret that is sent as it is
SHORTEST_WORD = 16
_NEW = f"make a new one (`openssl rand -base64 32`, with `{signing.PREFIX}` before it), keep the old one behind it"


def secrets(settings: Mapping[str, Any]) -> list[Finding]:
    """Say of each secret whether it protects anything; they are told apart by their place, never by what they are."""
    sent = settings["auth"] in ("header", "url")
    found = []
    for place, secret in enumerate(settings["secrets"], 1):
        length = len(secret) if sent else len(signing.keys_of(secret)[0])
        shortest, unit = (SHORTEST_WORD, "characters") if sent else (SHORTEST_KEY, "bytes")
        if length < shortest:
            words = f"secret {place} of {len(settings['secrets'])} has {length} {unit}, {shortest} are the least"
            found.append(Finding("warning", f"{words}: it can be guessed", _NEW))
    if len(set(settings["secrets"])) < len(settings["secrets"]):
        found.append(Finding("warning", "a secret is given twice", "take one of the two away"))
    count = len(settings["secrets"])
    return found or [Finding("ok", f"{count} secret{'s' if count > 1 else ''}; the first signs what goes out")]


def answers(http: Session, url: str) -> Finding:
    """Ask an address by GET, which sends no message. One that refuses anything but POST is there all the same."""
    try:
        status = http.get(url).status
    except HubError as error:
        return Finding("problem", f"base_url doesn't answer: {error.reason}", "is the address right, the partner up?")
    if 300 <= status < 400:
        words = f"base_url answers a GET with HTTP {status}, another address"
        return Finding("problem", words, "write the address it leads to: redirects are not followed")
    if status in (404, 410):
        words = f"base_url answers a GET with HTTP {status}"
        return Finding("warning", words, "if messages are refused too, ask the partner for the address")
    if status >= 500:
        return Finding("warning", f"base_url answers with HTTP {status}", "the partner may be ill; try again later")
    return Finding("ok", f"base_url answers (HTTP {status} to a GET)")
