"""Whole lists of records, page by page, while people go on working: nothing is left out because pages shift.

amoCRM pages by number, and a record deleted on a page already read moves all later ones forward: what stood first on
the next page would never be seen. So every page begins a little before the place where the last one ended. Where the
record that ended it isn't there any more, the list is read again further back.
https://www.amocrm.ru/developers/content/crm_platform/filters-api
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hub.errors import Refused
from hub.model import Record
from plugins.amocrm import codes
from plugins.amocrm.client import Client, embedded
from plugins.amocrm.reading import Reading

#: what comes along with a record in a list: as much as its neutral form holds
_WITH = {"deal": "contacts,loss_reason", "contact": "leads", "company": "leads,contacts"}
#: a page may be smaller than the largest by so much, for the sake of a better place to begin
_SPARE = 50


class Listing:
    """The lists of one account."""

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client, self._reading = client, reading

    def pages(self, record: str, since: dt.datetime | None, cursor: Any) -> tuple[list[Record], Any]:
        """Return a page of deals, contacts or companies by rising id, and the cursor of the next; None after the last.

        since: those changed since then. The account may take no notice of filters, so that is looked at here again.
        cursor: {"seen": how many rows of the list have been read, "last": the id of the last of them}.
        """
        if record not in _WITH:
            raise Refused(f"plugin amocrm lists {', '.join(_WITH)} page by page, not {record}")
        begin = int(since.timestamp()) if since is not None else 0
        seen, last = (int(cursor["seen"]), int(cursor["last"])) if isinstance(cursor, Mapping) else (0, 0)
        back = 1
        while True:
            start, rows, more = self._read(record, begin, max(0, seen - back))
            if not start or (rows and int(rows[0]["id"]) <= last):
                break
            back = max(codes.PAGE, back * 2)  # rows before the place are gone: what followed them has moved forward
        fresh = [row for row in rows if int(row["id"]) > last]
        kept = [
            row for row in fresh if row.get("is_deleted") is not True and int(row.get("updated_at") or begin) >= begin
        ]
        found = [self._reading.whole(record, row) for row in kept]
        if not more:
            return found, None
        return found, {"seen": start + len(rows), "last": int(rows[-1]["id"])}

    def _read(self, record: str, begin: int, place: int) -> tuple[int, list[dict[str, Any]], bool]:
        """Return (the place of the first row, the rows, whether more follow) of a page that holds a place."""
        number, size = page_of(place)
        asked: dict[str, Any] = {"with": _WITH[record], "order": {"id": "asc"}, "page": number, "limit": size}
        if begin:
            asked["filter"] = {"updated_at": {"from": begin}}
        path = codes.ENTITIES[record].path
        body = self._client.call("GET", path, params=asked, changes=False)  # not kept: a list may be long
        rows = embedded(body, path)
        links = body.get("_links") if isinstance(body, Mapping) else None
        return (number - 1) * size, rows, bool(rows and isinstance(links, Mapping) and links.get("next"))


def page_of(place: int) -> tuple[int, int]:
    """Return (number, size) of the page that holds a place (from 0) and begins nearest before it."""
    sizes = range(codes.PAGE, codes.PAGE - _SPARE - 1, -1)
    size = min(sizes, key=lambda one: place % one) if place else codes.PAGE
    return place // size + 1, size
