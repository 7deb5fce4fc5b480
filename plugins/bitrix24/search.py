"""Finding records: the words every CRM plugin knows become filters of the vendor's lists.

https://apidocs.bitrix24.ru/api-reference/crm/deals/crm-deal-list.html and its likes; phones and e-mails through
https://apidocs.bitrix24.ru/api-reference/crm/duplicates/crm-duplicate-find-by-comm.html
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from hub.errors import Refused
from hub.model import Record
from hub.settings import seconds
from plugins.bitrix24 import codes, multifield, records
from plugins.bitrix24.client import Client

VENDOR_FIELD = r"UF_CRM_\w+|ufCrm\w+|parentId\d+|PARENT_ID_\d+|UTM_[A-Z]+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
_FILTER_KEY = re.compile(rf"^(?:!=%|!%|=%|%=|!@|!=|>=|<=|[!@<>=%])?(?:{VENDOR_FIELD})$")
#: the longest list a person's deals are looked for in
_CONTACTS_OF_PERSON = 50


class Search:
    """The lists of one portal."""

    def __init__(self, client: Client, portal: str, region: str) -> None:
        self._client, self._portal, self._region = client, portal, region

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Return matching records, oldest first. `by` without any condition is refused: it would be everything."""
        if not by:
            raise Refused(f"finding a {record} needs a condition")
        if record in codes.ENTITIES:
            return [self._neutral(record, row) for row in self.rows(record, by, limit)]
        finder = {"task": self._tasks, "comment": self._comments, "note": self._comments, "todo": self._activities,
                  "activity": self._activities, "user": self._users}.get(record)  # fmt: skip
        if finder is None:
            raise Refused(f"plugin bitrix24 can't search for {record}")
        return finder(by, limit)

    def rows(
        self, kind: str, by: Mapping[str, Any], limit: int, select: list[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return matching leads, deals, contacts or companies as the vendor gives them."""
        condition = self._filter(kind, by)
        if condition is None:
            return []
        select = select or ["*", "UF_*", *(codes.MULTIFIELDS if codes.ENTITIES[kind].multifields else ())]
        return self._client.rows(f"crm.{kind}.list", {"filter": condition, "select": select}, limit)

    def page(self, kind: str, since: dt.datetime | None, cursor: Any) -> tuple[list[Record], Any]:
        """Return the next page of whole records in order of their ids, and where the following one begins.

        https://apidocs.bitrix24.ru/settings/performance/huge-data.html: by `>ID`, without a count. A record that is
        changed meanwhile keeps its place.
        """
        if kind not in codes.ENTITIES:
            raise Refused(f"plugin bitrix24 can't list its {kind} records: {', '.join(codes.ENTITIES)}")
        condition: dict[str, Any] = {">ID": str(cursor)} if cursor else {}
        if since is not None:
            condition[">=DATE_MODIFY"] = iso(since)
        select = ["*", "UF_*", *(codes.MULTIFIELDS if codes.ENTITIES[kind].multifields else ())]
        asked = {"order": {"ID": "ASC"}, "filter": condition, "select": select, "start": -1}
        found = self._client.call(f"crm.{kind}.list", asked, changes=False)
        rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
        last = str(rows[-1]["ID"]) if len(rows) >= codes.PAGE else None
        return [self._neutral(kind, row) for row in rows], last

    def exists(self, kind: str, number: str) -> bool:
        """Tell whether a record is still there and visible to us."""
        method = "tasks.task.list" if kind == "task" else f"crm.{kind}.list"
        found = self._client.call(method, {"filter": {"ID": number}, "select": ["ID"], "start": -1})
        return bool(found.get("tasks") if isinstance(found, Mapping) else found)

    def _neutral(self, kind: str, row: Mapping[str, Any]) -> Record:
        return records.neutral(kind, row, self._portal, self._region)

    # --- leads, deals, contacts, companies ---------------------------------------------------------

    def _filter(self, kind: str, by: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the vendor's filter; None when it is clear without asking that nothing matches."""
        entity = codes.ENTITIES[kind]
        out: dict[str, Any] = {}
        ids: set[str] | None = None
        if any(wanted in (None, "", []) for wanted in by.values()):
            return None  # a number that isn't known fits no record, least of all every one without a number
        for key, wanted in by.items():
            match key:
                case "marker":
                    out |= {"ORIGINATOR_ID": codes.ORIGINATOR, "ORIGIN_ID": wanted}
                case "phone" | "email":
                    found = self._of_person(kind, key, wanted)
                    ids = found if ids is None else ids & found
                case "id":
                    out["ID"] = wanted
                case "contact":
                    out["ID" if kind == "contact" else "CONTACT_ID"] = wanted
                case "company":
                    out["ID" if kind == "company" else "COMPANY_ID"] = wanted
                case "responsible":
                    out["ASSIGNED_BY_ID"] = wanted
                case "open":
                    if entity.semantic_field and wanted in (True, "yes", "True", "true", "1", "Y"):
                        out[entity.semantic_field] = "P"
                case "stage":
                    out |= _stages(entity.stage_field, wanted)
                case "pipeline":
                    out["CATEGORY_ID"] = wanted
                case _:
                    out |= _dated(key, wanted) or _vendor(key, wanted)
        if ids is not None:
            if not ids:
                return None
            name = "ID" if kind != "deal" else "CONTACT_ID"
            out[f"@{name}"] = sorted(ids, key=int)
        return out

    def _of_person(self, kind: str, key: str, wanted: Any) -> set[str]:
        """Return the ids that carry a phone or e-mail: of the kind itself, for deals those of their contacts."""
        words = [str(word) for word in (wanted if isinstance(wanted, (list, tuple)) else [wanted]) if word]
        if key == "phone":
            spellings = [each for word in words for each in multifield.phone_spellings(word, self._region)]
        else:
            spellings = list(dict.fromkeys(each for word in words for each in (word, word.lower())))
        if not spellings:
            return set()
        entity = "CONTACT" if kind == "deal" else kind.upper()
        asked = {"type": key.upper(), "values": spellings[: codes.FINDBYCOMM_VALUES], "entity_type": entity}
        found = self._client.call("crm.duplicate.findbycomm", asked)
        ids = found.get(entity) if isinstance(found, Mapping) else None
        return {str(number) for number in (ids or [])[:_CONTACTS_OF_PERSON]}

    # --- tasks, comments, activities, employees ------------------------------------------------------

    def _tasks(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        condition: dict[str, Any] = {}
        for key, wanted in by.items():
            if key in ("status", "open"):
                condition |= _task_status(wanted)
            elif key == "responsible":
                condition["RESPONSIBLE_ID"] = wanted
            elif key in codes.ENTITIES:
                condition["UF_CRM_TASK"] = [records.link(key, str(wanted))]
            elif key == "since":
                condition[">=CREATED_DATE"] = iso(wanted)
            elif key == "title":
                condition["TITLE"] = wanted
            else:
                condition |= _vendor(key, wanted)
        if isinstance(links := condition.get("UF_CRM_TASK"), str):
            condition["UF_CRM_TASK"] = [link.strip() for link in links.split(",")]
        select = ["ID", "TITLE", "STATUS", "DEADLINE", "RESPONSIBLE_ID", "CREATED_BY", "CREATED_DATE", "CHANGED_DATE",
                  "DESCRIPTION", "UF_CRM_TASK"]  # fmt: skip
        rows = self._client.rows("tasks.task.list", {"filter": condition, "select": select}, limit, inside="tasks")
        return [records.task(row, self._portal) for row in rows]

    def _comments(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        """Comments can be listed per record alone; text and time are compared here.

        https://apidocs.bitrix24.ru/api-reference/crm/timeline/comments/crm-timeline-comment-list.html
        """
        by = {**by}
        kind = next((kind for kind in codes.ENTITIES if kind in by), str(by.get("ENTITY_TYPE", "")).lower())
        number = by.get(kind) or by.get("ENTITY_ID")
        if not kind or not number:
            raise Refused("finding a comment needs its record: ENTITY_TYPE and ENTITY_ID")
        asked = {"filter": {"ENTITY_TYPE": kind, "ENTITY_ID": number}, "order": {"ID": "DESC"}}
        rows = self._client.call("crm.timeline.comment.list", asked)
        text = by.get("text", by.get("COMMENT"))
        since = iso(by["since"]) if by.get("since") else ""
        found = []
        for row in rows if isinstance(rows, list) else []:
            note = records.note(row)
            if text is not None and squeezed(note.get("text")) != squeezed(text):
                continue
            if since and (note.get("created_at") or "9") < since:
                continue
            found.append(note)
        return sorted(found, key=lambda note: int(note["id"]))[:limit]

    def _activities(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        condition: dict[str, Any] = {}
        for key, wanted in by.items():
            if key == "marker":
                condition |= {"ORIGINATOR_ID": codes.ORIGINATOR, "ORIGIN_ID": wanted}
            elif key in codes.ENTITIES:
                condition |= {"OWNER_TYPE_ID": codes.ENTITIES[key].type_id, "OWNER_ID": wanted}
            elif key == "since":
                condition[">=CREATED"] = iso(wanted)
            elif key == "open":
                condition["COMPLETED"] = "N"
            elif key == "title":
                condition["SUBJECT"] = wanted
            else:
                condition |= _vendor(key, wanted)
        rows = self._client.rows("crm.activity.list", {"filter": condition, "select": ["*"]}, limit)
        return [records.activity(row) for row in rows]

    def _users(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        names = {"id": "ID", "email": "EMAIL"}
        asked = {"FILTER": {names.get(key, key): wanted for key, wanted in by.items()}}
        rows = self._client.call("user.get", asked)
        return [records.user(row) for row in rows if isinstance(row, Mapping)][:limit]


# --- words -------------------------------------------------------------------------------------------


def _stages(field: str, wanted: Any) -> dict[str, Any]:
    if not field:
        raise Refused("contacts and companies have no stages")
    if isinstance(wanted, (list, tuple)):
        return {f"@{field}": [codes.plain_stage(str(stage)) for stage in wanted]}
    return {field: codes.plain_stage(str(wanted))}


def _dated(key: str, wanted: Any) -> dict[str, Any]:
    """Read `since` (creation), `changed_since`/`changed_within` and `changed_before` (an instant or a duration)."""
    filters = {
        "since": ">=DATE_CREATE", "created_before": "<=DATE_CREATE", "changed_since": ">=DATE_MODIFY",
        "changed_within": ">=DATE_MODIFY", "changed_before": "<=DATE_MODIFY",
    }  # fmt: skip
    return {filters[key]: iso(wanted)} if key in filters else {}


def _vendor(key: str, wanted: Any) -> dict[str, Any]:
    if not _FILTER_KEY.match(key):
        raise Refused(f"plugin bitrix24 can't search by {key!r}", {key: "neither a field nor a known word"})
    if isinstance(wanted, (list, tuple)) and key[0].isalpha():
        return {f"@{key}": list(wanted)}
    return {key: wanted}


def _task_status(wanted: Any) -> dict[str, Any]:
    words = str(wanted).lower()
    if words in ("open", "true", "yes", "1"):
        return {"!REAL_STATUS": codes.TASK_DONE}
    if words in ("done", "completed"):
        return {"REAL_STATUS": codes.TASK_DONE}
    numbers = {word: number for number, word in codes.TASK_STATUSES.items()}
    return {"REAL_STATUS": numbers.get(words, words)}


def iso(when: Any) -> str:
    """Return a datetime, unix seconds or ISO text as ISO text in UTC; a duration (`1d`) counts back from now."""
    if isinstance(when, dt.datetime):
        at = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    elif isinstance(when, dt.timedelta):
        at = dt.datetime.now(dt.UTC) - when
    elif isinstance(when, (int, float)):
        at = dt.datetime.fromtimestamp(max(0, when), dt.UTC)
    else:
        try:
            at = dt.datetime.fromisoformat(str(when))
            at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
        except ValueError:
            try:
                at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds(when))
            except ValueError:
                raise Refused(f"{when!r} is neither a time nor a duration") from None
    return at.astimezone(dt.UTC).isoformat(timespec="seconds")


def squeezed(text: Any) -> str:
    """Return a text without its spacing, by which two spellings of one comment are compared."""
    return "".join(str(text or "").split())
