"""What became of each item of a batch: HTTP 200 says that the batch was read, not that every item was taken. Pure.

The one answer that is public is request/create's: `data.requests[{requestNumber, imported}]`. The others are read by
the same rule: a list of objects in `data`, an item refused if one of its switches is false or it holds an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.errors import Refused
from hub.model import Done

_SWITCHES = ("imported", "success", "created", "updated", "deleted", "added", "matched", "result")
_ERRORS = ("error", "errors", "errorMessage", "errorCode", "message", "validationErrorData", "apiErrorData")
#: members an item may be known by
_NAMES = ("orderNumber", "requestNumber", "referenceId", "number", "id")


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its name, whether it was taken, the vendor's words and everything it said."""

    name: str
    taken: bool
    words: str
    said: Mapping[str, Any]


def items(data: Mapping[str, Any], names: Sequence[str]) -> list[Item]:
    """Return what became of the items `names`, in their order.

    They are known by their name, or by their place if the answer names them otherwise. An answer that speaks of no
    item at all took them; one that speaks of the others and not of this didn't.
    """
    rows = [row for value in data.values() if isinstance(value, list) for row in value if isinstance(row, Mapping)]
    by_name = {_name(row): row for row in rows}
    by_place = len(rows) == len(names) and not any(name in by_name for name in names)
    found = []
    for place, name in enumerate(names):
        row = rows[place] if by_place else by_name.get(name)
        if row is None:
            found.append(Item(name, not rows, "the answer does not mention it" if rows else "", {}))
        else:
            found.append(Item(name, *_verdict(row), row))
    return found


def _name(row: Mapping[str, Any]) -> str:
    return next((str(row[name]) for name in _NAMES if row.get(name) not in (None, "")), "")


def _verdict(row: Mapping[str, Any]) -> tuple[bool, str]:
    words = next((str(row[name]) for name in _ERRORS if row.get(name)), "")
    switches = [row[name] for name in _SWITCHES if isinstance(row.get(name), bool)]
    refused = False in switches or (not switches and bool(words))
    return not refused, words


def only(data: Mapping[str, Any], name: str, what: str) -> Mapping[str, Any]:
    """Return what was said of a batch of one; raise `Refused` if it was not taken."""
    [item] = items(data, [name])
    if not item.taken:
        raise Refused(f"{f'{what} {name}'.strip()}: {item.words or 'Calltouch did not take it, and did not say why'}")
    return item.said


def done(data: Mapping[str, Any], names: Sequence[str], what: str) -> Done:
    """Return the result of a batch: `{count, taken, refused, rows}`.

    The items that were taken are done, so the batch is never sent again as a whole; `refused` names the others.
    Raises `Refused` if not one was taken.
    """
    found = items(data, names)
    refused = [item for item in found if not item.taken]
    if found and len(refused) == len(found):
        told = "; ".join(f"{item.name}: {item.words or 'not taken'}" for item in refused[:5])
        raise Refused(f"{what}: none of {len(found)} was taken: {told}")
    rows = [{"number": item.name, "taken": item.taken, "words": item.words, **item.said} for item in found]
    result = {
        "count": len(found),
        "taken": len(found) - len(refused),
        "refused": [item.name for item in refused],
        "rows": rows,
    }
    log = str(data.get("logId") or "")
    return Done({**result, **({"log": log} if log else {})}, written={"count": len(found)})
