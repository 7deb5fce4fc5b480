"""Writing deals, contacts, companies and customers: create, update, stage, tags, links, many at once.

amoCRM has no keys against doubles. A record made by the hub carries its marker in a field of ours (HUB_MARKER, made by
`hub connect`), by which an earlier try is found; where the account has no such field, what an earlier try would have
left is looked for among the newest records: same name, same contact.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import Gone, HubError, Refused, Uncertain
from hub.model import Action, Done, Record
from plugins.amocrm import codes, outgoing, records
from plugins.amocrm.client import Client, embedded
from plugins.amocrm.directory import Directory
from plugins.amocrm.outgoing import Fields
from plugins.amocrm.reading import Reading
from plugins.amocrm.search import Search


class Crm:
    """What the hub writes into the four kinds of records."""

    def __init__(
        self, client: Client, directory: Directory, search: Search, reading: Reading, base_url: str, region: str,
        user: str, note: Callable[..., Done],
    ) -> None:  # fmt: skip
        self._client, self._directory, self._search, self._reading = client, directory, search, reading
        self._base_url, self._region, self._user, self._note = base_url, region, user, note

    def fields(self, kind: str, given: Mapping[str, Any]) -> Fields:
        """Return the fields that a step's values stand for."""
        return outgoing.fields(
            kind, given, lambda name: self._directory.field(kind, name), self._directory.stage, self._reading.zone
        )

    # --- create ----------------------------------------------------------------------------------

    def create(self, action: Action) -> Done:
        """Make a record; after a doubtful try that left no marker, look for its trace first."""
        kind = action.record
        wanted = self.creation(action)
        if (left := self._left(kind, wanted, action)) is not None:
            return left
        body = wanted.body() | self._attached(kind, action, wanted)
        number = self._add(codes.ENTITIES[kind].path, body)
        self.note_of_new(kind, number, wanted.beside.get("note"), action)
        return self._made(kind, number, wanted, body)

    def found(self, action: Action, record: Record) -> Done:
        """Return a record found by its marker as made, and write its note if that isn't there.

        People may have changed it meanwhile: written is what still stands there as the hub sent it.
        """
        kind, number = action.record, str(record["id"])
        wanted = self.creation(action)
        self.note(kind, number, wanted.beside.get("note"), action.in_doubt_since)
        stands = record.get("extra") or {}
        sent = wanted.written(self._reading.zone)
        written = {name: value for name, value in sent.items() if name in stands and stands[name] == value}
        links = [(one, str(record[one])) for one in ("contact", "company") if record.get(one)]
        return Done(record, number, links=[(kind, number), *links], written=written)

    def note(self, kind: str, number: str, text: Any, since: dt.datetime | None) -> None:
        """Write the note that goes beside a record, if there is one to write."""
        if said := str(text or ""):
            self._note(kind, number, {"note_type": "common", "params": {"text": said}}, since)

    def note_of_new(self, kind: str, number: str, text: Any, action: Action) -> None:
        """Write the note of a record that was made just now. Whatever goes wrong, the record isn't made again for it.

        A refusal (a text amoCRM doesn't take) is told once the record has been found: a person who has mended the
        cause lets it go out again, and finds one record.
        """
        try:
            self.note(kind, number, text, action.in_doubt_since)
        except Refused as error:
            raise Uncertain(f"{kind} {number} is made, its note isn't: {error.reason}") from error
        except HubError as error:
            error.begun = True
            raise

    def creation(self, action: Action) -> Fields:
        """Return the fields of a record to be made: the person behind a contact, our marker, who is responsible."""
        kind = action.record
        given: dict[str, Any] = dict(action.values)
        if kind == "contact" and action.person:
            given = {**outgoing.contact_values(action.person), **given}
        if kind == "contact" and given.get("name"):
            given.pop("first_name", None), given.pop("last_name", None)
        wanted = self.fields(kind, {key: value for key, value in given.items() if value not in (None, "")})
        if self._user and not wanted.own.get("responsible_user_id"):
            wanted.own["responsible_user_id"] = outgoing.integer("user", self._user)
        if action.marker and kind != "customer" and self._directory.marked(kind):
            wanted.custom |= self.fields(kind, {codes.MARKER: action.marker}).custom
        return wanted

    def _attached(self, kind: str, action: Action, wanted: Fields) -> dict[str, Any]:
        """Return what goes into `_embedded` of a new record: its contact and company, its tags."""
        held: dict[str, Any] = {}
        contact = str(wanted.beside.get("contact") or action.contact or "")
        company = str(wanted.beside.get("company") or "")
        if contact and kind == "deal":
            held["contacts"] = [{"id": outgoing.integer("contact", contact), "is_main": True}]
        if company and kind in ("deal", "contact"):
            held["companies"] = [{"id": outgoing.integer("company", company)}]
        return {"_embedded": held} if held else {}

    def _left(self, kind: str, wanted: Fields, action: Action) -> Done | None:
        """Return what an earlier try of this create has left where no field could hold its marker, or None."""
        if action.in_doubt_since is None or self._directory.marked(kind):
            return None
        row = self._trace(kind, wanted, action, action.in_doubt_since)
        if row is None:
            return None
        self.note(kind, str(row["id"]), wanted.beside.get("note"), action.in_doubt_since)
        return self._made(kind, str(row["id"]), wanted, row)

    def _trace(self, kind: str, wanted: Fields, action: Action, since: dt.datetime) -> Mapping[str, Any] | None:
        """Return the record that an earlier try of this action seems to have made, or None."""
        name = str(wanted.own.get("name") or "").strip()
        first, last = (str(wanted.own.get(key) or "").strip() for key in ("first_name", "last_name"))
        contact = str(wanted.beside.get("contact") or action.contact or "")
        for row in self._search.newest(kind, since.timestamp() - 300):
            said = str(row.get("name") or "").strip()
            if said != name and (name or said != f"{first} {last}".strip()):
                continue
            if contact and contact not in [records.id_of(one.get("id")) for one in records.embedded(row, "contacts")]:
                continue
            return row
        return None

    def _add(self, path: str, body: dict[str, Any]) -> str:
        """Make one record and return its id."""
        try:
            answer = self._client.post(path, [{**body, "request_id": "0"}])
        except Refused:
            self._directory.forget()  # a field or an option may have been deleted by an administrator
            raise
        rows = embedded(answer, path.rpartition("/")[2])
        if not rows or not records.id_of(rows[0].get("id")):
            raise Refused(f"the answer names no id: {str(answer)[:100]!r}")
        return records.id_of(rows[0]["id"])

    def _made(self, kind: str, number: str, wanted: Fields, body: Mapping[str, Any]) -> Done:
        """Return what a create did. The result holds what was sent, not the account's own defaults."""
        rows = [
            {"field_id": known.id, "field_code": known.code, "field_type": known.type, "values": rows or []}
            for known, rows in wanted.custom.values()
        ]
        raw = {**body, "id": number, "custom_fields_values": rows}
        result = self._reading.neutral(kind, raw)
        for known, _ in wanted.custom.values():
            for name in known.spellings:
                result["extra"][name] = wanted.written(self._reading.zone)[name]
        return Done(result, number, links=[(kind, number)], written=wanted.written(self._reading.zone))

    # --- update ----------------------------------------------------------------------------------

    def update(self, action: Action) -> Done:
        """Read, then write only what differs. Explicit values win; the person's own fill what the policy allows."""
        kind = action.record
        number = target(action)
        current = self._reading.raw(kind, number)
        wanted = outgoing.changes(
            self.fields(kind, action.values), current, self._extra(current), self._region, self._reading.zone,
            exact=action.exact,
        )  # fmt: skip
        if kind == "contact" and action.person:
            own = {
                key: value for key, value in outgoing.contact_values(action.person).items() if key not in action.values
            }
            if current.get("name") and action.fill != "newest":
                own.pop("first_name", None), own.pop("last_name", None)
            filled = outgoing.changes(
                self.fields(kind, own), current, self._extra(current), self._region, self._reading.zone,
                action.fill != "newest",
            )  # fmt: skip
            wanted = Fields({**filled.own, **wanted.own}, {**filled.custom, **wanted.custom}, wanted.beside)
        done = self.write(kind, current, wanted)
        self._beside(kind, number, current, wanted, action)
        return done

    def write(self, kind: str, current: Mapping[str, Any], wanted: Fields) -> Done:
        """Write the fields that differ; `written` is empty when nothing had to be."""
        number, zone = str(current["id"]), self._reading.zone
        body = wanted.body()
        if body:
            try:
                self._client.patch(f"{codes.ENTITIES[kind].path}/{number}", body)
            except Gone:
                raise
            except Refused:
                self._directory.forget()
                raise
        extra, wrote = self._extra(current), wanted.written(zone)
        before = {name: extra.get(name) for name in wrote if name not in ("stage", "responsible")}
        tags: dict[str, list[dict[str, str]]] = {
            key: body[key] for key in ("tags_to_add", "tags_to_delete") if key in body
        }
        if tags:
            wrote["tags"] = _tags_after(extra.get("tags") or [], tags)
        result = self._reading.neutral(kind, {**current, **wanted.own})
        result["extra"] |= {name: value for name, value in wrote.items() if name not in ("stage", "responsible")}
        return Done(result, number, written=wrote if wanted or tags else {}, before=before)

    def _extra(self, current: Mapping[str, Any]) -> dict[str, Any]:
        return records.extra_of(current, self._reading.zone)

    def _beside(self, kind: str, number: str, current: Mapping[str, Any], wanted: Fields, action: Action) -> None:
        """Link a contact or company, add a note: each only if it isn't there."""
        links = []
        for name in ("contact", "company"):
            other = str(wanted.beside.get(name) or "")
            path = codes.ENTITIES[name].path
            if other and other not in [records.id_of(row.get("id")) for row in records.embedded(current, path)]:
                links.append({"to_entity_id": outgoing.integer(name, other), "to_entity_type": path})
        if links:
            self._client.post(f"{codes.ENTITIES[kind].path}/{number}/link", links)
        self.note(kind, number, wanted.beside.get("note"), action.in_doubt_since)

    # --- more ------------------------------------------------------------------------------------

    def set_stage(self, action: Action) -> Done:
        """Move a deal; a stage is sent with its pipeline, since 142 and 143 are the same numbers in all of them."""
        number = target(action)
        given = dict(action.values)
        if not given.get("stage"):
            raise Refused("deal.set_stage needs a stage: pipeline/status")
        current = self._reading.raw("deal", number)
        wanted = self.fields("deal", given)
        done = self.write(
            "deal", current, outgoing.changes(wanted, current, self._extra(current), self._region, self._reading.zone)
        )
        self._beside("deal", number, current, wanted, action)
        return done

    def tag(self, action: Action) -> Done:
        """Add and remove tags of a record."""
        kind, number = action.record, target(action)
        add = action.values.get("tags") or action.values.get("tags_to_add")
        given = {
            "tags_to_add": add,
            "tags_to_delete": action.values.get("remove") or action.values.get("tags_to_delete"),
        }
        current = self._reading.raw(kind, number)
        has = records.tags_of(current)
        beside = {
            "tags_to_add": [row["name"] for row in outgoing.tags(given["tags_to_add"]) if row["name"] not in has],
            "tags_to_delete": [row["name"] for row in outgoing.tags(given["tags_to_delete"]) if row["name"] in has],
        }
        return self.write(kind, current, Fields(beside=beside))

    def link(self, action: Action, how: str) -> Done:
        """Link a record to others, or take links away: `contact: 55`, `company: [7, 8]`, `element` with its catalog.

        A link that is there already is no second one; amoCRM links no record to one of its own kind.
        """
        kind, number = action.record, target(action)
        if _listed(action.values.get(kind)):
            raise Refused(f"{action.name}: amoCRM links no {kind} to a {kind}", {kind: "of the same kind"})
        rows: list[dict[str, Any]] = []
        for name in ("contact", "company", "deal", "customer"):
            for other in _listed(action.values.get(name)):
                row: dict[str, Any] = {
                    "to_entity_id": outgoing.integer(name, other),
                    "to_entity_type": codes.ENTITIES[name].path,
                }
                if (
                    how == "link"
                    and name == "contact"
                    and str(action.values.get("main", "")).lower() in ("yes", "true", "1")
                ):
                    row["metadata"] = {"is_main": True}
                rows.append(row)
        for other in _listed(action.values.get("element")):
            told = {"catalog_id": outgoing.integer("catalog", action.values.get("catalog"))}
            if how == "link":
                told["quantity"] = outgoing.integer("quantity", action.values.get("quantity") or 1)
            rows.append(
                {
                    "to_entity_id": outgoing.integer("element", other),
                    "to_entity_type": "catalog_elements",
                    "metadata": told,
                }
            )
        if not rows:
            raise Refused(
                f"{action.name} needs what to {how}: contact, company, deal, customer, or element with its catalog"
            )
        self._client.post(f"{codes.ENTITIES[kind].path}/{number}/{how}", rows)
        return Done({"id": number, "count": len(rows)}, number)

    def complex(self, action: Action) -> Done:
        """Make a deal with its contact and company in one call (leads/complex).

        The one call in which the account's own control of doubles takes part: `merged` says whether it did.
        https://developers.kommo.com/reference/complex-leads: a bare list; some pages show an object, both are read.
        """
        deal = self.creation(action)
        if (left := self._left("deal", deal, action)) is not None:
            return left
        body = deal.body()
        held: dict[str, Any] = {}
        if contact := str(deal.beside.get("contact") or ""):
            held["contacts"] = [{"id": outgoing.integer("contact", contact)}]
        elif action.person and (given := outgoing.contact_values(action.person)):
            held["contacts"] = [self.fields("contact", given).body()]
        if company := str(deal.beside.get("company") or ""):
            held["companies"] = [{"id": int(company)} if company.isdigit() else {"name": company}]
        if held:
            body["_embedded"] = held
        answer = self._client.post("leads/complex", [{**body, "request_id": "0"}])
        rows = answer if isinstance(answer, list) else embedded(answer, "leads")
        if not rows or not records.id_of(rows[0].get("id")):
            raise Refused(f"the answer names no deal: {str(answer)[:100]!r}")
        row = rows[0]
        self.note_of_new("deal", records.id_of(row["id"]), deal.beside.get("note"), action)
        done = self._made("deal", records.id_of(row["id"]), deal, body)
        done.result |= {"contact": records.id_of(row.get("contact_id")), "merged": bool(row.get("merged"))}
        done.links += [
            (kind, number) for kind in ("contact", "company") if (number := records.id_of(row.get(f"{kind}_id")))
        ]
        return done

    def many(self, action: Action) -> Done:
        """Write many records: `rows`, each with its values (`id` for an update). Refused ones are told, not lost.

        The result: {"rows": [{"id", "row"} ...], "refused": [{"row", "why"} ...], "count"}.
        """
        kind = str(action.values.get("record") or "deal")
        rows = action.values.get("rows")
        if kind not in codes.ENTITIES or not isinstance(rows, list):
            raise Refused("batch needs `record` (deal, contact, company, customer) and `rows`, a list of values")
        updating = action.verb == "update"
        items, refused = [], []
        for place, row in enumerate(rows):
            try:
                given = {key: value for key, value in dict(row).items() if key != "id"}
                body = self.fields(kind, given).body()
                if updating:
                    body["id"] = outgoing.integer("id", dict(row).get("id"))
                items.append({**body, "request_id": str(place)})
            except Refused as error:
                refused.append({"row": place, "why": error.reason})
        done, failed = self._client.batch("PATCH" if updating else "POST", codes.ENTITIES[kind].path, items)
        refused += [{"row": int(place), "why": str(error)} for place, error in failed.items()]
        wrote = [
            {"row": int(place), "id": records.id_of(row.get("id"))} for place, row in done.items() if place.isdigit()
        ]
        if refused and not wrote:
            raise Refused(f"none of {len(rows)} rows was taken; the first: {refused[0]['why']}")
        return Done({"rows": wrote, "refused": sorted(refused, key=lambda one: one["row"]), "count": len(wrote)})


def target(action: Action) -> str:
    """Return the id of the record an action is about."""
    number = str(action.id or action.values.get("id") or "")
    if not number:
        raise Refused(f"{action.name} needs a record: give `find`")
    return number


def _listed(given: Any) -> list[str]:
    rows = given if isinstance(given, (list, tuple)) else [given]
    return [str(row) for row in rows if row not in (None, "")]


def _tags_after(has: list[str], change: Mapping[str, list[dict[str, str]]]) -> list[str]:
    gone = {row["name"] for row in change.get("tags_to_delete", ())}
    return [name for name in [*has, *(row["name"] for row in change.get("tags_to_add", ()))] if name not in gone]
