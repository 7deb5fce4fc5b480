"""Reading the stand-in's four kinds of records: one, and lists with `query`, filters, order and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from plugins.amocrm.sandbox import values
from plugins.amocrm.sandbox.words import hal, many, nothing, ordered, page, params
from plugins.amocrm.sandbox.world import World

TEXT = {
    "leads": ("name",),
    "contacts": ("name", "first_name", "last_name"),
    "companies": ("name",),
    "customers": ("name",),
}


class Lists:
    """The reads. With `filters` off, the account takes no notice of them, as some do."""

    def __init__(self, world: World, base: Any, filters: bool = True) -> None:
        self.world, self._base, self.filters = world, base, filters

    def shown(self, kind: str, row: dict[str, Any], wanted: str = "") -> dict[str, Any]:
        """Return a record as a read gives it: `with` decides what comes along."""
        number = row["id"]
        tags = [{"id": self.world.tag_id(kind, name), "name": name, "color": None} for name in row["tags"]]
        held: dict[str, Any] = {"tags": tags, "companies": self._brief(kind, number, "companies")}
        for other in ("contacts", "leads", "customers"):
            if other in wanted and other != kind:
                held[other] = self._brief(kind, number, other)
        if "catalog_elements" in wanted:
            links = self.world.linked(kind, number, "catalog_elements")
            held["catalog_elements"] = [{"id": link["id"], "metadata": link["metadata"]} for link in links]
        if "loss_reason" in wanted:
            held["loss_reason"] = [{"id": row["loss_reason_id"], "name": "Дорого"}] if row.get("loss_reason_id") else []
        if kind == "companies":
            held.pop("companies")
        own = {name: value for name, value in row.items() if name not in ("tags", "unsorted")}
        return {**own, "_links": {"self": {"href": f"{self._base()}/api/v4/{kind}/{number}"}}, "_embedded": held}

    def _brief(self, kind: str, number: int, other: str) -> list[dict[str, Any]]:
        found = []
        for link in self.world.linked(kind, number, other):
            row = {"id": link["id"], "_links": {"self": {"href": f"{self._base()}/api/v4/{other}/{link['id']}"}}}
            if other == "contacts":
                row["is_main"] = bool(
                    (link["metadata"] or {}).get("is_main") or (link["metadata"] or {}).get("main_contact")
                )
            found.append(row)
        return found

    def list(self, kind: str) -> Response:
        """Answer GET /<kind>; incoming leads that wait aren't in it."""
        asked = params()
        rows = [
            row for row in self.world.records[kind].values() if not row["unsorted"] and self._fits(kind, row, asked)
        ]
        wanted = str(asked.get("with") or "")
        return page([self.shown(kind, row, wanted) for row in ordered(rows)], kind, self._base())

    def one(self, kind: str, number: int) -> Response:
        """Answer GET /<kind>/<id>: 204 for one that isn't there."""
        row = self.world.records[kind].get(number)
        return nothing() if row is None else hal(self.shown(kind, row, str(params().get("with") or "")))

    def _fits(self, kind: str, row: dict[str, Any], asked: Mapping[str, Any]) -> bool:
        if query := str(asked.get("query") or "").strip().lower():
            texts = [str(row.get(name) or "") for name in TEXT[kind]] + values.texts(row["custom_fields_values"])
            digits = "".join(letter for letter in query if letter.isdigit())
            found = any(query in text.lower() for text in texts)
            by_digits = len(digits) >= 5 and any(digits in "".join(c for c in text if c.isdigit()) for text in texts)
            if not found and not by_digits:
                return False
        given = asked.get("filter")
        if not isinstance(given, Mapping) or not self.filters:
            return True
        return all(self._filter(row, name, wanted) for name, wanted in given.items())

    def _filter(self, row: dict[str, Any], name: str, wanted: Any) -> bool:
        if name == "statuses":
            pairs = [(str(one.get("pipeline_id")), str(one.get("status_id"))) for one in _rows(wanted)]
            return (str(row.get("pipeline_id")), str(row.get("status_id"))) in pairs
        if name == "custom_fields_values" and isinstance(wanted, Mapping):
            return all(self._custom(row, number, inner) for number, inner in wanted.items())
        if isinstance(wanted, Mapping) and ("from" in wanted or "to" in wanted):
            return _between(row.get(name), wanted)
        return str(row.get(name)) in many(wanted)

    @staticmethod
    def _custom(row: dict[str, Any], number: str, wanted: Any) -> bool:
        held = next((one for one in row["custom_fields_values"] or [] if str(one["field_id"]) == str(number)), None)
        found = held["values"] if held else []
        if isinstance(wanted, Mapping) and ("from" in wanted or "to" in wanted):
            return any(_between(value["value"], wanted) for value in found)
        texts = {
            str(value.get(name)).lower()
            for value in found
            for name in ("value", "enum_id")
            if value.get(name) is not None
        }
        texts |= {"1" if value["value"] is True else "0" for value in found if isinstance(value["value"], bool)}
        return bool(texts & {one.lower() for one in many(wanted)})


def _rows(value: Any) -> list[Mapping[str, Any]]:
    rows = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [row for row in rows if isinstance(row, Mapping)]


def _between(value: Any, wanted: Mapping[str, Any]) -> bool:
    try:
        found = float(str(value))
        return float(wanted.get("from") or "-inf") <= found <= float(wanted.get("to") or "inf")
    except ValueError:
        return False
