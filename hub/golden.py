"""The golden record: what is known of a human, each value with who said it and when; and which value stands.

Pure. A record is `{field: [{"value", "from" (connection), "first", "at" (epoch seconds)}, ...]}`, oldest first. Nothing
is thrown away by merging: a merged person's record stays theirs, and both are read together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Entry = dict[str, Any]
Golden = dict[str, list[Entry]]
#: a rule of survivorship: a word, or connections in the order in which they are believed
Rule = str | Sequence[str]

#: fields of a contact that are kept; those that may have several values at once are lists there
FIELDS = (
    "name", "first_name", "last_name", "middle_name", "phone", "email", "handle", "address", "city", "language",
    "tags",
)  # fmt: skip
_LISTS = {"phone": "phones", "email": "emails", "tags": "tags"}
#: words of survivorship
SURVIVES = ("empty_only", "newest", "longest", "all")
#: values kept of one field; the oldest but the first goes
MOST = 20
_LONGEST = 500
#: seconds after which a value that is said again is worth a write
AGAIN = 86400.0


def add(record: Golden | None, contact: Mapping[str, Any], connection: str, at: float) -> Golden | None:
    """Return the record with what this contact says; None if there is nothing new in it."""
    known: Golden = {name: list(entries) for name, entries in (record or {}).items()}
    changed = False
    for name in FIELDS:
        for value in _values(contact, name):
            changed = _put(known.setdefault(name, []), value, connection, at) or changed
    return {name: entries for name, entries in known.items() if entries} if changed else None


def _values(contact: Mapping[str, Any], name: str) -> list[str]:
    if name == "handle":
        handles = contact.get("handles")
        found = [f"{channel}:{handle}" for channel, handle in handles.items() if handle] if handles else []
    else:
        several = contact.get(_LISTS.get(name, ""))
        one: list[Any] = [contact.get(name)]
        found = list(several) if isinstance(several, list | tuple) and several else one
    return [str(value).strip()[:_LONGEST] for value in found if value not in (None, "") and str(value).strip()]


def _put(entries: list[Entry], value: str, connection: str, at: float) -> bool:
    for place, entry in enumerate(entries):
        if entry["value"] == value and entry["from"] == connection:
            if at - entry["at"] < AGAIN:
                return False
            entries[place] = {**entry, "at": at}
            return True
    entries.append({"value": value, "from": connection, "first": at, "at": at})
    if len(entries) > MOST:
        del entries[1]
    return True


def together(records: Iterable[Golden | None]) -> Golden:
    """Return the records of persons that are one, read as one."""
    joined: Golden = {}
    for record in records:
        for name, entries in (record or {}).items():
            joined.setdefault(name, []).extend(entries)
    for entries in joined.values():
        entries.sort(key=lambda entry: (entry["first"], entry["from"]))
    return joined


def best(record: Mapping[str, Sequence[Entry]], name: str, rule: Rule = "empty_only") -> Any:
    """Return the value of a field that stands, None if there is none.

    rule: `empty_only` the first ever said, `newest` the last, `longest`, `all` of them as a list; or connections in
    order of trust, of each the newest, and of what none of them said the newest too.
    """
    entries = record.get(name) or ()
    if rule == "all":
        return list(dict.fromkeys(entry["value"] for entry in entries))
    if not entries:
        return None
    if rule == "empty_only":
        return entries[0]["value"]
    if rule == "longest":
        return max(entries, key=lambda entry: (len(entry["value"]), entry["at"]))["value"]
    if not isinstance(rule, str):
        for connection in rule:
            if said := [entry for entry in entries if entry["from"] == connection]:
                return max(said, key=lambda entry: entry["at"])["value"]
    return max(entries, key=lambda entry: entry["at"])["value"]


def rule_of(people: Any, name: str) -> Rule:
    """Return the rule of survivorship of a field: its own, else that of `people.fill`."""
    own = people.survive.get(name)
    if own is not None:
        return own
    fill = people.fill
    return fill if isinstance(fill, str) else tuple(fill[1:])


def shown(record: Mapping[str, Sequence[Entry]], people: Any = None) -> dict[str, Any]:
    """Return field -> the value that stands, by the rules of `people` (first said, without any)."""
    return {name: best(record, name, rule_of(people, name) if people else "empty_only") for name in record}
