"""Two contacts of one human: amoCRM has no merge, so what hangs on the second goes over to the first.

Its API offers neither a merge nor a deletion of contacts. What it lets us do: the deals are linked to the contact that
stays and unlinked from the other, its tags go along, a note on either side says what happened, and the other is marked
by a tag, so that a manager can merge or delete it by hand. Each step may be repeated without harm.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Done, Record
from plugins.amocrm.client import Client, embedded

#: marks a contact whose deals have gone to another
TAG = "hub: duplicate"
#: so many notes, tasks of a contact are carried at most
_MOST = 250
#: the first line of the note beside the contact that stays, by which a second try knows what the first has moved; the
#: delivery's marker stands in it, for anybody's text may become a note
_TOLD = re.compile(
    r"The same person as contact (?P<number>\d+)(; deals: (?P<deals>[\d, ]+))?(; tasks: (?P<tasks>[\d, ]+))?"
    r" \((?P<marker>[^)]+)\)"
)
Note = Callable[[str, str, Mapping[str, Any], dt.datetime | None], Done]


class Merging:
    """Merges of one account. `note` writes a note beside a record."""

    def __init__(self, client: Client, note: Note) -> None:
        self._client, self._note = client, note

    def merge(
        self, record: str, into: str, ids: Sequence[str], carry: Collection[str], marker: str, since: dt.datetime | None
    ) -> Done:  # fmt: skip
        """Carry what `carry` names from each of `ids` to `into`."""
        if record != "contact":
            raise Refused(f"plugin amocrm can't merge {record} records")
        survivor = self._contact(into)
        kept: list[Record] = []
        for number in ids:
            try:
                kept.append(self._carry(survivor, into, number, carry, marker, since))
            except Gone:
                continue  # merged or deleted by a person since
        return Done({"id": into, "kept": kept, "lost": []}, into)

    def _carry(
        self, survivor: Mapping[str, Any], into: str, number: str, carry: Collection[str], marker: str,
        since: dt.datetime | None,
    ) -> Record:  # fmt: skip
        loser = self._contact(number)
        tags = [tag["name"] for tag in (loser.get("_embedded") or {}).get("tags") or () if tag.get("name") != TAG]
        own = {tag.get("name") for tag in (survivor.get("_embedded") or {}).get("tags") or ()}
        fresh = [tag for tag in tags if tag not in own] if "tags" in carry else []
        kept: Record = {"id": number, "deals": [], "tags": fresh, "tasks": [], "notes": 0}
        if "deals" in carry:
            kept["deals"] = [str(row["id"]) for row in (loser.get("_embedded") or {}).get("leads") or ()]
        if "tasks" in carry:
            kept["tasks"] = self._tasks(number)
        if since is not None:  # what an earlier try has moved is no longer found where it was
            for name, moved in self._set_down(into, number, marker).items():
                kept[name] = list(dict.fromkeys([*moved, *kept[name]]))
        self._say(into, _said(number, kept, marker, str(loser.get("name") or "")), since)
        self._links("link", into, kept["deals"])
        self._links("unlink", number, kept["deals"])
        if fresh:
            self._patch(into, {"tags_to_add": [{"name": tag} for tag in fresh]})
        self._move_tasks(kept["tasks"], into)
        if "notes" in carry:
            kept["notes"] = self._history(number, into, since)
        self._patch(number, {"tags_to_add": [{"name": TAG}]})
        self._say(number, f"The same person as contact {into}: deals and history are there", since)
        return kept

    def _set_down(self, into: str, number: str, marker: str) -> dict[str, list[str]]:
        """Return the deals and tasks that an earlier try was about to move, as its note says."""
        answer = self._client.get(f"contacts/{int(into)}/notes", {"limit": str(_MOST), "order": {"id": "desc"}})
        for row in embedded(answer, "notes"):
            text = str((row.get("params") or {}).get("text") or "").partition("\n")[0]
            told = _TOLD.fullmatch(text)
            if told and (told["number"], told["marker"]) == (number, marker):
                return {name: re.findall(r"\d+", told[name] or "") for name in ("deals", "tasks")}
        return {}

    def _contact(self, number: str) -> dict[str, Any]:
        found = self._client.get(f"contacts/{int(number)}", {"with": "leads"})
        if not isinstance(found, dict) or not found.get("id"):
            raise Gone(f"contact {number} doesn't exist any more")
        return found

    def _links(self, how: str, contact: str, deals: Sequence[str]) -> None:
        if deals:
            rows = [{"to_entity_id": int(deal), "to_entity_type": "leads"} for deal in deals]
            self._client.post(f"contacts/{int(contact)}/{how}", rows)

    def _patch(self, contact: str, body: Mapping[str, Any]) -> None:
        self._client.patch(f"contacts/{int(contact)}", dict(body))

    def _say(self, contact: str, text: str, since: dt.datetime | None) -> None:
        self._note("contact", contact, {"note_type": "common", "params": {"text": text}}, since)

    def _tasks(self, number: str) -> list[str]:
        """Return the contact's open tasks."""
        asked = {"entity_type": "contacts", "entity_id": [number], "is_completed": "0"}
        rows = embedded(self._client.get("tasks", {"filter": asked, "limit": str(_MOST)}), "tasks")
        return [str(row["id"]) for row in rows]

    def _move_tasks(self, tasks: Sequence[str], into: str) -> None:
        if tasks:
            body = [{"id": int(task), "entity_id": int(into), "entity_type": "contacts"} for task in tasks]
            self._client.patch("tasks", body)

    def _history(self, number: str, into: str, since: dt.datetime | None) -> int:
        """Tell the contact's own notes again beside the one that stays, in one note; deals bring theirs along."""
        answer = self._client.get(f"contacts/{int(number)}/notes", {"limit": str(_MOST), "order": {"id": "asc"}})
        lines = []
        for row in embedded(answer, "notes"):
            text = str((row.get("params") or {}).get("text") or "").strip()
            if row.get("note_type") in ("common", "service_message", "extended_service_message") and text:
                made = dt.datetime.fromtimestamp(int(row.get("created_at") or 0), dt.UTC)
                lines.append(f"{made:%Y-%m-%d %H:%M} UTC: {text}")
        if lines:
            self._say(into, f"History of contact {number}:\n" + "\n".join(lines)[:15_000], since)
        return len(lines)

    # --- parting -------------------------------------------------------------------------------------

    def unmerge(self, record: str, into: str, kept: Sequence[Record], since: dt.datetime | None) -> Done:
        """Lead deals, tags and tasks back; notes stay, and one more says what happened."""
        if record != "contact":
            raise Refused(f"plugin amocrm can't undo a merge of {record} records")
        restored = {}
        for one in kept:
            number = str(one["id"])
            self._contact(number)
            self._links("link", number, one.get("deals") or [])
            self._links("unlink", into, one.get("deals") or [])
            if one.get("tags"):
                self._patch(into, {"tags_to_delete": [{"name": tag} for tag in one["tags"]]})
            self._move_tasks(one.get("tasks") or [], number)
            self._patch(number, {"tags_to_delete": [{"name": TAG}]})
            self._say(into, f"Contact {number} is another person: its deals went back", since)
            restored[number] = number
        return Done({"id": into, "restored": restored}, into)


def _said(number: str, kept: Record, marker: str, name: str) -> str:
    """Return the note beside the contact that stays. What strangers may have written stands on a line of its own."""
    parts = [f"; {what}: {', '.join(kept[what])}" for what in ("deals", "tasks") if kept[what]]
    return f"The same person as contact {number}{''.join(parts)} ({marker})" + (f"\n{name}" if name else "")
