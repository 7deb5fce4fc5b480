"""Finding records: the words every CRM plugin knows become filters of the vendor's lists.

Filters are called alpha and may be off for an account (`is_api_filter_enabled`), a full-text `query` brings near
matches too. So whatever the vendor answers is compared here once more, and only what fits all of the words is returned.
https://www.amocrm.ru/developers/content/crm_platform/filters-api
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hub import normal
from hub.errors import Gone, Refused
from hub.model import Record
from hub.settings import seconds
from plugins.amocrm import codes, records, values
from plugins.amocrm.client import Client
from plugins.amocrm.directory import Directory
from plugins.amocrm.reading import Reading

#: pages of the newest records that are looked through for a marker or a trace: a thousand records
NEWEST_PAGES = 4
#: contacts, and deals of one contact, that are looked at for one person
_OF_PERSON = 50
#: records read one by one where an account's filters are off: the newest
_ONE_BY_ONE = 10
#: pages of incoming leads that are looked through
_LEAD_PAGES = 4
_ALIAS = {"title": "name", "amount": "price", "responsible": "responsible_user_id"}
_TEXTS = frozenset({"text", "textarea", "url", "streetaddress", "tracking_data", "multitext"})


class Search:
    """The lists of one account."""

    def __init__(self, client: Client, directory: Directory, reading: Reading, region: str) -> None:
        self._client, self._directory, self._reading, self._region = client, directory, reading, region

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Return matching records, oldest first. `by` without any condition is refused: it would be everything."""
        if not by:
            raise Refused(f"finding a {record} needs a condition")
        if any(wanted in (None, "", []) for wanted in by.values()):
            return []  # a number that isn't known fits no record, least of all every one without a number
        if record in codes.ENTITIES:
            rows = self.rows(record, by, limit)
            return [self._reading.neutral(record, row) for row in rows]
        finders: dict[str, Callable[[Mapping[str, Any], int], list[Record]]] = {
            "lead": self._leads, "task": self._tasks, "note": self._notes, "comment": self._notes, "user": self._users,
            "responsible": self._users, "element": self._elements,
        }  # fmt: skip
        if record not in finders:
            raise Refused(f"plugin amocrm can't search for {record}")
        return finders[record](by, limit)

    # --- deals, contacts, companies, customers ---------------------------------------------------------

    def rows(self, kind: str, by: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
        """Return matching records as the vendor gives them, oldest first."""
        fits = [self._test(kind, key, wanted) for key, wanted in by.items()]
        found: dict[str, dict[str, Any]] = {}
        for row in self._candidates(kind, by):
            if row.get("is_deleted") is not True and all(test(row) for test in fits):
                found.setdefault(str(row.get("id")), row)
        return sorted(found.values(), key=lambda row: int(row.get("id") or 0))[:limit]

    def _candidates(self, kind: str, by: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
        """Return a list that holds all that fit, by the sharpest word there is."""
        if "id" in by:
            return self.by_ids(kind, _many(by["id"]))
        if "marker" in by:
            return self._marked(kind, str(by["marker"]), by.get("since"))
        if kind == "deal" and (people := self._people(by)) is not None:
            return self.by_ids(
                "deal", [number for row in people for number in _linked(row, "leads")][-_OF_PERSON * 2 :]
            )
        if kind == "contact" and "contact" in by:
            return self.by_ids("contact", _many(by["contact"]))
        for key in ("phone", "email"):
            if key in by:
                return [row for word in _many(by[key]) for row in self._asked(kind, {"query": self._query(key, word)})]
        return self._asked(kind, self._filters(kind, by))

    def _asked(self, kind: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        asked = {"with": "leads,contacts" if kind != "deal" else "contacts", "order": {"id": "asc"}, **params}
        return self._client.rows(codes.ENTITIES[kind].path, asked, limit=1000)

    def by_ids(self, kind: str, numbers: list[str]) -> list[dict[str, Any]]:
        """Return records by id; those a list with its filter off leaves out are read one by one."""
        numbers = [one for one in dict.fromkeys(numbers) if one.isascii() and one.isdigit() and len(one) < 20]
        if not numbers:
            return []
        found: dict[str, dict[str, Any]] = {}
        if len(numbers) > 1:
            asked = {"filter": {"id": numbers}, "with": "contacts" if kind == "deal" else "leads"}
            found = {str(row.get("id")): row for row in self._client.rows(codes.ENTITIES[kind].path, asked, limit=500)}
        for number in [one for one in numbers if one not in found][-_ONE_BY_ONE:]:
            try:
                found[number] = self._reading.raw(kind, number)
            except Gone:
                continue
        return [found[number] for number in numbers if number in found]

    def _people(self, by: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Return the contacts a deal is looked for by, with their deals; None if by none."""
        if "contact" in by:
            return self.by_ids("contact", _many(by["contact"]))
        words = {key: by[key] for key in ("phone", "email") if key in by}
        return self.rows("contact", words, _OF_PERSON) if words else None

    def _query(self, key: str, word: str) -> str:
        """Return what to search for: the last ten digits of a phone fit every spelling of it, an e-mail itself."""
        if key == "email":
            return word
        digits = "".join(letter for letter in (normal.phone(word, self._region) or word) if letter.isdigit())
        return digits[-10:] or word

    def _marked(self, kind: str, marker: str, since: Any) -> list[dict[str, Any]]:
        """Return what carries our marker: among the newest where it is known since when, else by full text.

        Without the field for it nothing can: then whoever acts looks for what it would have left itself.
        """
        if not self._directory.marked(kind):
            return []
        if since is not None:
            return self.newest(kind, since)
        return self._asked(kind, {"query": marker})

    def newest(self, kind: str, since: Any) -> list[dict[str, Any]]:
        """Return the records made since, the newest first; a list by id lags behind nothing, a search may."""
        begin = moment(since).timestamp()
        found: list[dict[str, Any]] = []
        asked = {"order": {"id": "desc"}, "with": "contacts" if kind == "deal" else "leads"}
        for number, page in enumerate(self._client.pages(codes.ENTITIES[kind].path, asked), 1):
            found += page
            oldest = page[-1].get("created_at")
            if number >= NEWEST_PAGES or (isinstance(oldest, int) and oldest < begin):
                break
        return [row for row in found if int(row.get("created_at") or 0) >= begin - 1]

    def _filters(self, kind: str, by: Mapping[str, Any]) -> dict[str, Any]:
        filters: dict[str, Any] = {}
        params: dict[str, Any] = {}
        for key, wanted in by.items():
            name = _ALIAS.get(key, key)
            match name:
                case "stage" | "status":
                    filters["statuses"] = [
                        {"pipeline_id": stage.pipeline, "status_id": stage.id}
                        for stage in (self._directory.stage(str(one)) for one in _many(wanted))
                    ]
                case "pipeline" | "pipeline_id":
                    filters["pipeline_id"] = _many(wanted)
                case "since":
                    filters["created_at"] = {"from": int(moment(wanted).timestamp())}
                case "responsible_user_id" | "created_by" | "updated_by":
                    filters[name] = _many(wanted)
                case "name":
                    if len(_many(wanted)) == 1:
                        params.setdefault("query", _many(wanted)[0])
                case "price":
                    filters["price"] = {"from": wanted, "to": wanted}
                case "query":
                    params["query"] = wanted
                case "open" | "company" | "tag":
                    pass
                case _:
                    known = self._directory.field(kind, name)
                    if known.type in _TEXTS:
                        if len(_many(wanted)) == 1:
                            params.setdefault("query", _many(wanted)[0])
                    else:
                        filters.setdefault("custom_fields_values", {})[known.id] = self._filter_value(known, wanted)
        return {**params, **({"filter": filters} if filters else {})}

    def _filter_value(self, known: values.Field, wanted: Any) -> Any:
        rows = values.written(known, wanted, self._reading.zone) or []
        found = [row.get("enum_id", row.get("value")) for row in rows]
        if known.type in ("date", "date_time", "birthday") and found:
            return {"from": found[0], "to": found[-1]}
        return [int(one) if isinstance(one, bool) else one for one in found]

    def _test(self, kind: str, key: str, wanted: Any) -> Callable[[Mapping[str, Any]], bool]:
        """Return whether a record fits one of the words, decided here."""
        extra = lambda row: records.extra_of(row, self._reading.zone)  # noqa: E731
        name = _ALIAS.get(key, key)
        match name:
            case "phone" | "email":
                if kind == "deal":
                    return lambda row: True  # its contacts have been compared
                known = {self._same(name, word) for word in _many(wanted)}
                field = name.upper()
                return lambda row: bool(known & {self._same(name, word) for word in _many(extra(row).get(field))})
            case "contact":
                numbers = set(_many(wanted))
                own = kind == "contact"
                return lambda row: bool(numbers & ({str(row.get("id"))} if own else set(_linked(row, "contacts"))))
            case "company":
                return lambda row: bool(set(_many(wanted)) & set(_linked(row, "companies")))
            case "id":
                return lambda row: str(row.get("id")) in _many(wanted)
            case "marker":
                return lambda row: str(wanted) in _many(extra(row).get(codes.MARKER))
            case "open":
                is_open = str(wanted).lower() in ("true", "yes", "1")
                return lambda row: self._is_open(row) is is_open if kind == "deal" else True
            case "stage" | "status":
                pairs = {self._directory.stage(str(one)).code for one in _many(wanted)}
                return lambda row: f"{row.get('pipeline_id')}/{row.get('status_id')}" in pairs
            case "pipeline" | "pipeline_id":
                return lambda row: str(row.get("pipeline_id")) in _many(wanted)
            case "since":
                begin = moment(wanted).timestamp()
                return lambda row: int(row.get("created_at") or 0) >= begin - 1
            case "query":
                return lambda row: True
            case "tag":
                return lambda row: bool(set(_many(wanted)) & set(records.tags_of(row)))
        if name in codes.ENTITIES[kind].fields:
            texts = {_folded(one) for one in _many(wanted)}
            return lambda row: _folded(row.get(name)) in texts
        known_field = self._directory.field(kind, name)
        wished = self._shown(known_field, wanted)
        return lambda row: _overlap(wished, extra(row).get(known_field.id))

    def _shown(self, known: values.Field, wanted: Any) -> Any:
        """Return the values asked for as a read brings them; several are alternatives."""
        found = []
        for one in _many(wanted):
            shown = values.shown(known, values.written(known, one, self._reading.zone), self._reading.zone)
            found += shown if isinstance(shown, list) else [shown]
        return found

    def _same(self, key: str, word: str) -> str:
        return (normal.phone(word, self._region) if key == "phone" else normal.email(word)) or word.strip().lower()

    def _is_open(self, row: Mapping[str, Any]) -> bool:
        """An open deal is neither won nor lost, and no incoming lead that waits to be accepted."""
        if str(row.get("status_id")) in codes.CLOSED:
            return False
        stage = self._directory.stages().get(f"{row.get('pipeline_id')}/{row.get('status_id')}")
        return stage is None or not stage.unsorted

    # --- incoming leads ------------------------------------------------------------------------------

    def _leads(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        """Incoming leads have no search: the newest are looked through, by their contact or what they say."""
        people: set[str] | None = None
        if {"phone", "email", "contact"} & set(by):
            people = (
                set(_many(by["contact"])) if "contact" in by else {str(one["id"]) for one in self._people(by) or []}
            )
        found = []
        asked = {"order": {"created_at": "desc"}}
        for number, page in enumerate(self._client.pages("leads/unsorted", asked, inside="unsorted"), 1):
            found += [row for row in page if self._lead_fits(row, by, people)]
            if number >= _LEAD_PAGES:
                break
        leads = [records.lead(row, self._region) for row in found]
        return sorted(leads, key=lambda lead: str(lead.get("created_at") or ""))[:limit]

    def _lead_fits(self, row: Mapping[str, Any], by: Mapping[str, Any], people: set[str] | None) -> bool:
        lead = records.lead(row, self._region)
        if people is not None:
            inside = {records.id_of(one.get("id")) for one in records.embedded(row, "contacts")}
            told = {key: lead.get(key) for key in ("phone", "email") if lead.get(key)}
            named = any(self._same(key, str(value)) in {self._same(key, word) for word in _many(by.get(key))}
                        for key, value in told.items())  # fmt: skip
            if not inside & people and not named:
                return False
        for key, wanted in by.items():
            match key:
                case "phone" | "email" | "contact" | "open":
                    continue
                case "marker":
                    if str(row.get("source_uid")) != str(wanted):
                        return False
                case "since":
                    if int(row.get("created_at") or 0) < moment(wanted).timestamp() - 1:
                        return False
                case "id" | "uid":
                    if lead.get("id") not in _many(wanted):
                        return False
                case _:
                    if _folded(lead.get(key, row.get(key))) not in {_folded(one) for one in _many(wanted)}:
                        return False
        return True

    # --- tasks, notes, users, elements --------------------------------------------------------------

    def _tasks(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        filters: dict[str, Any] = {}
        for kind in codes.ENTITIES:
            if kind in by:
                filters |= {"entity_type": codes.ENTITIES[kind].path, "entity_id": _many(by[kind])}
        if "id" in by:
            filters["id"] = _many(by["id"])
        if "open" in by:
            filters["is_completed"] = 0
        if "responsible" in by:
            filters["responsible_user_id"] = _many(by["responsible"])
        found = [
            records.task(row)
            for row in self._client.rows("tasks", {"filter": filters, "order": {"id": "asc"}}, limit=2000)
        ]
        begin = moment(by["since"]).isoformat() if "since" in by else ""
        return [task for task in found if _task_fits(task, by, begin)][:limit]

    def _notes(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        kind = next((kind for kind in codes.ENTITIES if by.get(kind)), "")
        if not kind:
            raise Refused("finding a note needs its record: deal, contact or company")
        path = f"{codes.ENTITIES[kind].path}/{_many(by[kind])[0]}/notes"
        rows = self._client.rows(path, {"order": {"id": "desc"}}, limit=max(codes.PAGE, limit))
        found = [records.note(row, kind) for row in rows]
        text = squeezed(by["text"]) if "text" in by else None
        begin = moment(by["since"]).isoformat() if "since" in by else ""
        fitting = [
            note
            for note in found
            if ("id" not in by or note["id"] in _many(by["id"]))
            and (text is None or squeezed(note.get("text")) == text)
            and str(note.get("created_at") or "9") >= begin
        ]
        return sorted(fitting, key=lambda note: int(note["id"]))[:limit]

    def _users(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        found = {str(row.get("id")): records.user(row) for row in self._directory.users().values()}
        return [
            user
            for user in found.values()
            if all(_folded(user.get(key)) in {_folded(one) for one in _many(wanted)} for key, wanted in by.items())
        ][:limit]

    def _elements(self, by: Mapping[str, Any], limit: int) -> list[Record]:
        catalog = str(by.get("catalog") or by.get("catalog_id") or "")
        if not catalog.isdigit():
            raise Refused("finding an element needs its catalog: `catalog: 4521` (`hub names` prints them)")
        wanted = {key: value for key, value in by.items() if key not in ("catalog", "catalog_id")}
        query = next((str(value) for value in wanted.values()), "")
        rows = self._client.rows(f"catalogs/{catalog}/elements", {"query": query} if query else {}, limit=1000)
        found = [records.element(row, self._reading.zone) for row in rows]
        return [
            one
            for one in found
            if all(_folded(one.get(key, one["extra"].get(key))) == _folded(value) for key, value in wanted.items())
        ][:limit]


# --- words -------------------------------------------------------------------------------------------


def _task_fits(task: Record, by: Mapping[str, Any], begin: str) -> bool:
    for key, wanted in by.items():
        if key == "open" and task.get("done"):
            return False
        if key == "title" or key == "text":
            if squeezed(task.get("title")) != squeezed(wanted):
                return False
        elif key in (*codes.ENTITIES, "responsible", "id", "kind") and str(task.get(key) or "") not in _many(wanted):
            return False
    return str(task.get("created_at") or "9") >= begin


def moment(when: Any) -> dt.datetime:
    """Return a datetime, unix seconds or ISO text as an instant; a duration (`1d`) counts back from now."""
    if isinstance(when, dt.timedelta):
        return dt.datetime.now(dt.UTC) - when
    if isinstance(when, float):
        return dt.datetime.fromtimestamp(max(0.0, when), dt.UTC)
    found = values.moment_of(when, dt.UTC)
    if found is not None:
        return found
    try:
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds(when))
    except ValueError:
        raise Refused(f"{str(when)[:60]!r} is neither a time nor a duration") from None


def _many(wanted: Any) -> list[str]:
    rows = wanted if isinstance(wanted, (list, tuple, set)) else [wanted]
    return [str(one) for one in rows if one not in (None, "")]


def _linked(row: Mapping[str, Any], name: str) -> list[str]:
    return [number for one in records.embedded(row, name) if (number := records.id_of(one.get("id")))]


def _folded(value: Any) -> str:
    return " ".join(str("" if value is None else value).split()).casefold()


def _overlap(wished: list[Any], has: Any) -> bool:
    there = has if isinstance(has, list) else [has]
    return bool({_folded(one) for one in wished} & {_folded(one) for one in there if one is not None})


def squeezed(text: Any) -> str:
    """Return a text without its spacing, by which two spellings of one note are compared."""
    return "".join(str(text or "").split())
