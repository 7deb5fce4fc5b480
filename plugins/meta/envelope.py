"""The envelope all of Meta's webhooks share, taken apart into single items whatever form they came in. Pure.

`{"object", "entry": [{"id", "time", "messaging": [..] | "standby": [..] | "changes": [{"field", "value"}] | "field",
"value"}]}`, up to 1000 updates in one POST, of several accounts. Official snippets wrap it in a list.
https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub import jsonbody
from hub.errors import Rejected

#: members of one body: 1000 updates of some 60 members each are within what Meta says
MAX_KEYS = 100_000
#: from here on a number counts milliseconds: in seconds it would be the year 5138
_MILLISECONDS = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """One update. `kind`: `messaging`, `standby` (a copy: another app has the thread), `field`, or `` for none of them.

    account: the id in `entry.id`. field: the name in `changes` or beside `value`. at: when it was sent, not when it
    happened. number: its place in the body, from 0.
    """

    object: str
    account: str
    kind: str
    field: str
    value: Any
    at: dt.datetime | None
    number: int

    def digest(self) -> str:
        """Return a short hash of what the update says and when: the key of one that has no id."""
        told = orjson.dumps(
            [self.account, self.kind, self.field, self.at and self.at.timestamp(), self.value],
            option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS,
        )
        return hashlib.blake2s(told, digest_size=16).hexdigest()


def items(body: bytes) -> list[Item]:
    """Return every update of a body in order. Raises `Rejected` 400/413 if it is no such envelope."""
    read = jsonbody.loads(body, max_keys=MAX_KEYS)
    found: list[Item] = []
    for whole in read if isinstance(read, list) else [read]:
        if not isinstance(whole, Mapping) or not isinstance(whole.get("entry"), list):
            raise Rejected(400, "no envelope of Meta's: an object with `object` and a list `entry` was expected")
        name = text(whole.get("object"))
        for entry in whole["entry"]:
            account, at = (
                (text(entry.get("id")), instant(entry.get("time"))) if isinstance(entry, Mapping) else ("", None)
            )
            for kind, field, value in _parts(entry):
                found.append(Item(name, account, kind, field, value, at, len(found)))
    return found


def _parts(entry: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield (kind, field, value) of everything in an entry; what is in no known form comes as it is."""
    if not isinstance(entry, Mapping):
        yield "", "", entry
        return
    known = False
    for kind in ("messaging", "standby"):
        if isinstance(rows := entry.get(kind), list):
            known = True
            for row in rows:
                yield kind, "", row
    if isinstance(rows := entry.get("changes"), list):
        known = True
        for row in rows:
            field = text(row.get("field")) if isinstance(row, Mapping) else ""
            yield ("field", field, row.get("value")) if field else ("", "", row)
    if field := text(entry.get("field")):
        known = True
        yield "field", field, entry.get("value")
    if not known:
        yield "", "", dict(entry)


def text(value: Any) -> str:
    """Return an id or a word as text, whether it came as text or as a number; "" for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def instant(value: Any) -> dt.datetime | None:
    """Return seconds or milliseconds since 1970, a number or a text, as an instant; which of them tells the size."""
    word = text(value)
    if not word.isascii() or not word.isdecimal() or len(word) > 14:
        return None
    number = int(word)
    return dt.datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS else number, dt.UTC)
