"""`matching`: the list of attempts by which Calltouch finds the lead that a deal, tag or comment belongs to. Pure.

The order is the priority (page "api-metod-kommentirovanie-lidov"). A route may write it short:

    matching: [{call: deal.ct_call}, {request: deal.ct_request}, {leadContact: contact.phone}, withoutSource]

or in the vendor's own words (`{type: call, callParams: {callId: 2}}`), or leave it out: then it is made of `call`,
`request`, `chat` and the contact. What turns out empty drops out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub import normal
from hub.errors import Refused
from plugins.calltouch import codes

#: short word -> (the name of its parameters, the member that holds the id)
_BY_ID = {
    "request": ("requestParams", "requestId"),
    "call": ("callParams", "callId"),
    "chat": ("chatParams", "chatId"),
}
#: short word -> (the name of its parameters, the member that says which of several leads)
_BY_CONTACT = {
    "leadContact": ("leadContactParams", "leadTypeToMatch"),
    "requestContact": ("requestContactParams", "requestTypeToMatch"),
    "callContact": ("callContactParams", "callTypeToMatch"),
    "chatContact": ("chatContactParams", "chatTypeToMatch"),
}
_SOURCE = ("source", "medium", "campaign", "content", "term")
WITHOUT = "withoutSource"
TYPES = (*_BY_ID, *_BY_CONTACT, "customSources", WITHOUT)


def of(given: Any, when: str, region: str) -> list[dict[str, Any]]:
    """Return the vendor's list for what a route wrote. `when` is the moment contacts are matched at.

    Raises `Refused` for what isn't an attempt at all.
    """
    rows = given if isinstance(given, list) else [given]
    found = [one for row in rows if (one := _attempt(row, when, region)) is not None]
    return list({repr(sorted(one.items(), key=str)): one for one in found}.values())


def usual(values: Mapping[str, Any], when: str, region: str, without_source: bool) -> list[dict[str, Any]]:
    """Return the list that fits what is known: call, request, chat by id, then the contact, then without a source."""
    short: list[Any] = [{kind: values.get(kind)} for kind in _BY_ID]
    short.append({"leadContact": {"phones": values.get("phone"), "emails": values.get("email")}})
    if any(values.get(f"utm_{name}") for name in _SOURCE[:1]):
        short.append({"customSources": {name: values.get(f"utm_{name}") for name in _SOURCE}})
    return of([*short, *([WITHOUT] if without_source else [])], when, region)


def _attempt(row: Any, when: str, region: str) -> dict[str, Any] | None:
    if row in (None, "", {}):
        return None
    if row == WITHOUT:
        return {"type": WITHOUT}
    if isinstance(row, Mapping) and row.get("type"):
        return _native(row)
    if not isinstance(row, Mapping) or len(row) != 1:
        raise Refused(f"matching: {str(row)[:80]!r} is no attempt; one of {', '.join(TYPES)}", {"matching": "unknown"})
    [(kind, value)] = row.items()
    if kind in _BY_ID:
        return _by_id(kind, value)
    if kind in _BY_CONTACT:
        return _by_contact(kind, value, when, region)
    if kind == "customSources":
        return _custom(value)
    if kind == WITHOUT:
        return {"type": WITHOUT} if value not in (None, "", False, "no") else None
    raise Refused(f"matching: {kind!r} is unknown; one of {', '.join(TYPES)}", {"matching": str(kind)})


def _native(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["type"] not in TYPES:
        raise Refused(f"matching: type {row['type']!r} is unknown; one of {', '.join(TYPES)}", {"matching": "type"})
    found = dict(row)
    for params, member in _BY_ID.values():
        if isinstance(inner := found.get(params), Mapping) and member in inner:
            found[params] = {**inner, member: _id(inner[member])}
    return found


def _by_id(kind: str, value: Any) -> dict[str, Any] | None:
    params, member = _BY_ID[kind]
    if isinstance(value, Mapping):
        name = value.get(member) or value.get("id")
        rest = {key: inner for key, inner in value.items() if key not in (member, "id")}
    else:
        name, rest = value, {}
    number = _id(name)
    return None if number is None else {"type": kind, params: {member: number, **rest}}


def _id(value: Any) -> int | None:
    """Return an id as the number that the vendor wants; None for what isn't one (an empty field of the deal)."""
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 19 else None


def _by_contact(kind: str, value: Any, when: str, region: str) -> dict[str, Any] | None:
    params, which = _BY_CONTACT[kind]
    rest: dict[str, Any] = {}
    words = [value]
    if isinstance(value, Mapping):
        ours = ("phones", "phone", "emails", "email")
        words = [value.get(name) for name in ours]
        rest = {name: inner for name, inner in value.items() if name not in ours}
    phones = list(dict.fromkeys(filter(None, (_phone(word, region) for word in _flat(words)))))
    emails = list(dict.fromkeys(filter(None, (normal.email(str(word)) for word in _flat(words)))))
    if kind == "callContact":
        emails = []
    others = any(rest.get(name) for name in ("waPhones", "tgIds", "tgUsernames", "vkIds", "md5Phones"))
    if not (phones or emails or others):
        return None
    inner = {"date": when, which: "nearest", "searchDepth": codes.SEARCH_DEPTH, **rest}
    inner |= {"phones": phones} if phones else {}
    inner |= {"emails": emails} if emails else {}
    return {"type": kind, params: inner}


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    elif value:
        yield value


def _phone(word: Any, region: str) -> str:
    number = normal.phone(str(word), region) if "@" not in str(word) else None
    return number.removeprefix("+") if number else ""


def _custom(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        raise Refused("matching: customSources is a mapping of source, medium, campaign, content, term")
    inner = {name: str(value[name])[: codes.CUSTOM_SOURCE] for name in _SOURCE if value.get(name)}
    return {"type": "customSources", "customSourceParams": inner} if inner.get("source") else None
