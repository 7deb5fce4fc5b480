"""Who a message is from: the keys that name a human. Pure; finding or making the person is `hub.store.people`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from hub.model import Event
from hub.normal import storable

#: characters of a key; PostgreSQL indexes no value of over about 2,700 bytes
LONGEST = 200
#: keys that belong to nobody: placeholders people and forms type in
NOBODY = frozenset(
    {"no@no.no", "none@none.com", "noreply@noreply.com", "test@test.test", "+380000000000", "+70000000000"}
)


def keys(event: Event, match: Iterable[str], nobody: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Return the (kind, value) keys of the event's contact, strongest first; empty if it names nobody.

    `match` is `people.match`: which kinds count. Values are already normalised by the plugin (E.164, lower case).
    """
    contact = event.record.get("contact")
    if not isinstance(contact, Mapping):
        return []
    nobody = NOBODY | set(nobody)
    found: list[tuple[str, str]] = []
    for kind in match:
        found.extend((kind, short(value)) for value in _values(contact, kind) if value not in nobody)
    if contact.get("id"):
        found.append((f"{event.connection}.contact", short(str(contact["id"]))))
    return list(dict.fromkeys(found))


def short(value: str) -> str:
    """Return a value fit for an index: an absurdly long one (from outside) is stood for by its beginning and digest."""
    value = storable(value)
    if len(value) <= LONGEST:
        return value
    return f"{value[: LONGEST - 40]}~{hashlib.blake2s(value.encode(), digest_size=16).hexdigest()}"


def _values(contact: Mapping[str, Any], kind: str) -> Iterable[str]:
    if kind == "phone":
        return [str(v) for v in contact.get("phones") or [contact.get("phone")] if v]
    if kind == "email":
        return [str(v) for v in contact.get("emails") or [contact.get("email")] if v]
    if kind == "handle":
        handles = contact.get("handles") or {}
        return [f"{channel}:{handle}" for channel, handle in handles.items() if handle]
    return []


def search_words(event: Event) -> set[str]:
    """Return the normalised words by which a person would look this event up."""
    words = {event.subject.partition(":")[2]}
    for record in event.record.values():
        if not isinstance(record, Mapping):
            continue
        for field in ("id", "number", "order", "phone", "email", "handle"):
            if value := record.get(field):
                words.add(str(value).lower())
        for field in ("phones", "emails"):
            words.update(str(value).lower() for value in record.get(field) or ())
    return {storable(word[:200]) for word in words if word}
