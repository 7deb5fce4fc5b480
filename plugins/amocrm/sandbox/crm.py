"""Deals, contacts, companies and customers of the stand-in: lists with filters, writes, links, tags, complex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from plugins.amocrm.sandbox import values
from plugins.amocrm.sandbox.lists import TEXT, Lists
from plugins.amocrm.sandbox.words import ApiError, body, hal, items, nothing, objection, page, params
from plugins.amocrm.sandbox.world import ACCOUNT_ID, LOST, NUMBERS, PIPELINE, SINGULAR, WON, World, ends

_INTS = {
    "leads": ("price", "status_id", "pipeline_id", "responsible_user_id", "created_by", "updated_by", "closed_at",
              "created_at", "updated_at", "loss_reason_id"),
    "contacts": ("responsible_user_id", "created_by", "updated_by", "created_at", "updated_at"),
    "companies": ("responsible_user_id", "created_by", "updated_by", "created_at", "updated_at"),
    "customers": ("responsible_user_id", "next_price", "next_date", "status_id", "created_by", "updated_by",
                  "created_at", "updated_at", "periodicity"),
}  # fmt: skip
_KNOWN = ("custom_fields_values", "_embedded", "tags_to_add", "tags_to_delete", "request_id", "id")


class Crm(Lists):
    """The four kinds of records."""

    # --- writing ---------------------------------------------------------------------------------

    def add(self, kind: str, given: Any, unsorted: bool = False, quiet: bool = False) -> list[dict[str, Any]]:
        """Make records, all or none: one bad item refuses the whole batch."""
        rows = items(given)
        made = [self._new(kind, row, row.get("request_id", str(place)), unsorted) for place, row in enumerate(rows)]
        for row, given_row in zip(made, rows, strict=True):
            self.world.records[kind][row["id"]] = row
            self._embed(kind, row, given_row)
            self.world.creates[kind] = self.world.creates.get(kind, 0) + 1
            if not quiet:
                self.world.note_event(f"{SINGULAR[kind]}_added", SINGULAR[kind], row["id"])
        if not quiet:
            self.world.told(kind, "add", made)
        return made

    def _new(self, kind: str, given: dict[str, Any], request_id: Any, unsorted: bool) -> dict[str, Any]:
        now = self.world.now()
        row: dict[str, Any] = {
            "id": self.world.next_id(), "name": "", "responsible_user_id": self.world.now_as, "group_id": 0,
            "created_by": self.world.now_as, "updated_by": self.world.now_as, "created_at": now, "updated_at": now,
            "closest_task_at": None, "is_deleted": False, "custom_fields_values": None, "account_id": ACCOUNT_ID,
            "tags": [], "unsorted": unsorted,
        }  # fmt: skip
        if kind == "leads":
            row |= {
                "price": 0,
                "pipeline_id": PIPELINE,
                "status_id": 0,
                "closed_at": None,
                "loss_reason_id": None,
                "score": None,
            }
        if kind == "contacts":
            row |= {"first_name": "", "last_name": "", "is_unsorted": False}
        self._apply(kind, row, given, request_id)
        if kind == "leads" and not row["status_id"]:
            row["status_id"] = self.world.first_stage(row["pipeline_id"])
        if kind == "leads" and row["status_id"] in (WON, LOST):
            row["closed_at"] = now
        if not row["name"] and kind == "leads":
            row["name"] = f"Сделка #{row['id']}"
        return row

    def _apply(self, kind: str, row: dict[str, Any], given: dict[str, Any], request_id: Any) -> None:
        """Put what was sent into a record; raises 400 for what it can't hold."""
        for name, value in given.items():
            if name in _KNOWN:
                continue
            if name in TEXT[kind]:
                row[name] = str(value or "")
            elif name in _INTS[kind]:
                if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                    raise ApiError(
                        400, "Request validation failed", [objection(request_id, "InvalidType", name, "int")]
                    )
                row[name] = value
            else:
                raise ApiError(
                    400, "Request validation failed", [objection(request_id, "NotSupported", name, "extra field")]
                )
        if kind == "leads" and ("status_id" in given or "pipeline_id" in given):
            if "status_id" not in given and row["pipeline_id"] != PIPELINE:
                row["status_id"] = self.world.first_stage(row["pipeline_id"])
            if self.world.stage(row["pipeline_id"], row["status_id"]) is None and row["status_id"]:
                raise ApiError(
                    400,
                    "Request validation failed",
                    [objection(request_id, "NotSupportedChoice", "status_id", "no such stage")],
                )
        if kind == "contacts" and ("first_name" in given or "last_name" in given) and "name" not in given:
            row["name"] = f"{row['first_name']} {row['last_name']}".strip()
        if "custom_fields_values" in given:
            fields = self.world.fields[kind]
            row["custom_fields_values"] = values.merged(
                fields, row["custom_fields_values"], given["custom_fields_values"], request_id
            )
        self._tags(kind, row, given)

    def _tags(self, kind: str, row: dict[str, Any], given: dict[str, Any]) -> None:
        held = given.get("_embedded")
        if isinstance(held, Mapping) and isinstance(held.get("tags"), list):
            row["tags"] = self._tag_names(kind, held["tags"])
        row["tags"] = [
            *row["tags"],
            *(n for n in self._tag_names(kind, given.get("tags_to_add")) if n not in row["tags"]),
        ]
        gone = self._tag_names(kind, given.get("tags_to_delete"))
        row["tags"] = [name for name in row["tags"] if name not in gone]

    def _tag_names(self, kind: str, rows: Any) -> list[str]:
        names = {number: name for name, number in self.world.tags[kind].items()}
        return [str(one.get("name") or names.get(_id(one), "")) for one in rows or [] if isinstance(one, dict)]

    def _embed(self, kind: str, row: dict[str, Any], given: dict[str, Any]) -> None:
        held = given.get("_embedded")
        for other in ("contacts", "companies"):
            for place, one in enumerate((held or {}).get(other) or []):
                if isinstance(one, dict) and one.get("id") in self.world.records[other] and other != kind:
                    self.world.link(
                        kind, row["id"], other, one["id"], {"is_main": bool(one.get("is_main", place == 0))}
                    )

    def change(self, kind: str, number: int, given: dict[str, Any], request_id: Any = "0") -> dict[str, Any]:
        """Change one record; events tell of its stage, its colleague, its fields."""
        row = self.world.records[kind].get(number)
        if row is None:
            raise ApiError(
                400, "Request validation failed", [objection(request_id, "NotFound", "id", "Entity not found")]
            )
        before = {**row}
        fresh = {**row, "tags": list(row["tags"])}
        self._apply(kind, fresh, given, request_id)
        fresh |= {"updated_at": self.world.now(), "updated_by": self.world.now_as}
        if kind == "leads" and fresh["status_id"] != before["status_id"]:
            fresh["closed_at"] = self.world.now() if fresh["status_id"] in (WON, LOST) else None
        row.clear()
        row.update(fresh)
        self._events(kind, before, row)
        return before

    def _events(self, kind: str, before: dict[str, Any], row: dict[str, Any]) -> None:
        word, number = SINGULAR[kind], row["id"]
        if kind == "leads" and (before["status_id"], before["pipeline_id"]) != (row["status_id"], row["pipeline_id"]):
            after, was = (
                [{"lead_status": {"id": one["status_id"], "pipeline_id": one["pipeline_id"]}}] for one in (row, before)
            )
            self.world.note_event("lead_status_changed", word, number, after, was)
        if before["responsible_user_id"] != row["responsible_user_id"]:
            self.world.note_event("entity_responsible_changed", word, number)
        if before.get("price") != row.get("price"):
            self.world.note_event("sale_field_changed", word, number)
        if before["name"] != row["name"]:
            self.world.note_event("name_field_changed", word, number)
        old = {one["field_id"]: one["values"] for one in before["custom_fields_values"] or []}
        new = {one["field_id"]: one["values"] for one in row["custom_fields_values"] or []}
        for field in old.keys() | new.keys():
            if old.get(field) != new.get(field):
                self.world.note_event(f"custom_field_{field}_value_changed", word, number)

    def post(self, kind: str) -> Response:
        """Answer POST /<kind>."""
        given = body()
        made = self.add(kind, given)
        return hal(self._thin(kind, made, given))

    def patch(self, kind: str, number: int | None) -> Response:
        """Answer PATCH /<kind> (an array with ids, all or none) and PATCH /<kind>/<id> (an object)."""
        given = body()
        if number is not None:
            if number not in self.world.records[kind]:
                return nothing()
            changed = [(number, given if isinstance(given, dict) else {}, "0")]
        else:
            changed = [(_id(row), row, row.get("request_id", str(place))) for place, row in enumerate(items(given))]
            for wanted, _, request_id in changed:
                if wanted not in self.world.records[kind]:
                    raise ApiError(
                        400, "Request validation failed", [objection(request_id, "NotFound", "id", "Entity not found")]
                    )
            for wanted, row, request_id in changed:  # a bad item refuses the whole batch
                self._apply(kind, {**self.world.records[kind][wanted]}, row, request_id)
        told = []
        for wanted, row, request_id in changed:
            before = self.change(kind, wanted, row, request_id)
            told.append((before, self.world.records[kind][wanted]))
        self._tell(kind, told)
        rows = [self.world.records[kind][wanted] for wanted, _, _ in changed]
        if number is not None:
            row = rows[0]
            return hal(
                {
                    "id": row["id"],
                    "updated_at": row["updated_at"],
                    "_links": {"self": {"href": f"{self._base()}/api/v4/{kind}/{row['id']}"}},
                }
            )
        return hal(self._thin(kind, rows, given, updated=True))

    def _tell(self, kind: str, changed: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        """One change fans out: update, status, responsible."""
        moved, passed, updated = [], [], []
        for before, row in changed:
            more: dict[str, Any] = {}
            if kind == "leads" and (before["status_id"], before["pipeline_id"]) != (
                row["status_id"],
                row["pipeline_id"],
            ):
                more = {"old_status_id": before["status_id"], "old_pipeline_id": before["pipeline_id"]}
                moved.append({**row, **more})
            if before["responsible_user_id"] != row["responsible_user_id"]:
                passed.append({**row, "old_responsible_user_id": before["responsible_user_id"]})
            updated.append({**row, **{key: value for key, value in more.items() if key == "old_status_id"}})
        for action, rows in (("update", updated), ("status", moved), ("responsible", passed)):
            if rows:
                self.world.told(kind, action, rows)

    def delete(self, kind: str, number: int) -> None:
        """Delete a record as a person does; the API itself has no call for it."""
        row = self.world.records[kind].pop(number)
        self.world.links = [link for link in self.world.links if (kind, number) not in ends(link)]
        self.world.note_event(f"{SINGULAR[kind]}_deleted", SINGULAR[kind], number)
        self.world.told(kind, "delete", [row])

    def _thin(self, kind: str, rows: list[dict[str, Any]], given: Any, updated: bool = False) -> dict[str, Any]:
        out = []
        for place, row in enumerate(rows):
            one: dict[str, Any] = {"id": row["id"], "request_id": str(given[place].get("request_id", place))}
            if updated:
                one["updated_at"] = row["updated_at"]
            out.append({**one, "_links": {"self": {"href": f"{self._base()}/api/v4/{kind}/{row['id']}"}}})
        return {"_links": {"self": {"href": f"{self._base()}/api/v4/{kind}"}}, "_embedded": {kind: out}}

    # --- links, tags, complex --------------------------------------------------------------------

    def links(self, kind: str, number: int | None, how: str) -> Response:
        """Answer POST /<kind>/<id>/link, /unlink, and the mass form with entity_id."""
        rows = []
        for row in items(body()):
            own = number if number is not None else row.get("entity_id")
            other, other_id = str(row.get("to_entity_type")), row.get("to_entity_id")
            there = (
                self.world.elements.get(_id(row.get("metadata") or {}, "catalog_id"), {})
                if other == "catalog_elements"
                else self.world.records.get(other, {})
            )
            if other == kind:
                raise ApiError(
                    400,
                    "Request validation failed",
                    [objection("0", "NotSupportedChoice", "to_entity_type", "not a valid choice")],
                )
            if own not in self.world.records[kind] or other_id not in there:
                raise ApiError(404, "Entity not found")
            if how == "unlink":
                self.world.unlink(kind, own, other, other_id)
            else:
                rows.append(self.world.link(kind, own, other, other_id, row.get("metadata")))
                self.world.note_event("entity_linked", SINGULAR[kind], own)
        if how == "unlink":
            return nothing()
        return hal({"_links": {"self": {"href": f"{self._base()}/api/v4/{kind}/link"}}, "_embedded": {"links": rows}})

    def list_links(self, kind: str, number: int) -> Response:
        """Answer GET /<kind>/<id>/links."""
        rows = []
        for other in (*SINGULAR, "catalog_elements"):
            rows += [
                {"to_entity_id": link["id"], "to_entity_type": other, "metadata": link["metadata"]}
                for link in self.world.linked(kind, number, other)
            ]
        return hal({"_embedded": {"links": rows}}) if rows else nothing()

    def complex(self) -> Response:
        """Answer POST /leads/complex with a bare array."""
        given = items(body())
        if len(given) > 50:
            raise ApiError(400, "Request validation failed", [objection("0", "TooMany", "", "At most 50 leads.")])
        out = []
        for place, row in enumerate(given):
            held = row.get("_embedded") or {}
            ids: dict[str, int | None] = {"contacts": None, "companies": None}
            for kind in ids:
                inner = held.get(kind) or []
                if len(inner) > 1:
                    raise ApiError(
                        400,
                        "Request validation failed",
                        [objection(place, "TooMany", f"_embedded.{kind}", "at most one")],
                    )
                if inner:
                    known = inner[0].get("id")
                    ids[kind] = known if known in self.world.records[kind] else self.add(kind, [inner[0]])[0]["id"]
            lead = self.add("leads", [{key: value for key, value in row.items() if key != "_embedded"}])[0]
            for kind, number in ids.items():
                if number:
                    self.world.link("leads", lead["id"], kind, number, {"is_main": True})
            out.append(
                {"id": lead["id"], "contact_id": ids["contacts"], "company_id": ids["companies"],
                 "request_id": [str(row.get("request_id", place))], "merged": False}
            )  # fmt: skip
        return hal(out)

    def tags(self, kind: str, method: str) -> Response:
        """Answer GET and POST /<kind>/tags."""
        if method == "POST":
            rows = [{"id": self.world.tag_id(kind, str(row.get("name"))), "name": row.get("name"),
                     "request_id": str(place)}
                    for place, row in enumerate(items(body()))]  # fmt: skip
            return hal({"_embedded": {"tags": rows}})
        query = str(params().get("query") or "").lower()
        found = {name: number for name, number in self.world.tags[kind].items() if query in name.lower()}
        rows = [{"id": number, "name": name, "color": None} for name, number in found.items()]
        return page(rows, "tags", self._base())

    def custom_fields(self, home: str, method: str) -> Response:
        """Answer GET and POST /<kind>/custom_fields."""
        fields = self.world.fields.setdefault(home, [])
        if method == "POST":
            made = []
            for row in items(body()):
                if row.get("code") and row["code"] in [one["code"] for one in fields]:
                    raise ApiError(400, "Request validation failed", [objection("0", "NotUnique", "code", "taken")])
                blank: dict[str, Any] = {
                    "enums": None,
                    "group_id": None,
                    "required_statuses": [],
                    "is_predefined": False,
                    "code": None,
                }
                one = {
                    **blank,
                    "is_deletable": True,
                    **{k: v for k, v in row.items() if k != "request_id"},
                    "id": self.world.next_id(),
                }
                fields.append(one)
                made.append(one)
            return hal({"_embedded": {"custom_fields": made}})
        return page(fields, "custom_fields", self._base(), total=True)


def hook_row(kind: str, row: dict[str, Any], world: World) -> dict[str, Any]:
    """Return a record as webhooks spell it: both spellings of times, `custom_fields`, links keyed by ids."""
    names = ("id", "name", "status_id", "old_status_id", "price", "responsible_user_id", "old_responsible_user_id",
             "pipeline_id", "old_pipeline_id", "group_id")  # fmt: skip
    out: dict[str, Any] = {name: row[name] for name in names if row.get(name) is not None}
    out |= {
        "last_modified": row["updated_at"], "modified_user_id": row["updated_by"], "created_user_id": row["created_by"],
        "date_create": row["created_at"], "account_id": ACCOUNT_ID, "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }  # fmt: skip
    if row["tags"]:
        out["tags"] = [{"id": world.tag_id(kind, name), "name": name} for name in row["tags"]]
    if fields := values.of_hook(row["custom_fields_values"]):
        out["custom_fields"] = fields
    if kind in ("contacts", "companies"):
        links = world.linked(kind, row["id"], "leads")
        if links:
            out["linked_leads_id"] = {str(link["id"]): {"ID": link["id"]} for link in links}
        out["type"] = SINGULAR[kind]
    return out


def _id(row: Mapping[str, Any], name: str = "id") -> int:
    found = row.get(name)
    return found if isinstance(found, int) else -1


__all__ = ["NUMBERS", "Crm", "hook_row"]
