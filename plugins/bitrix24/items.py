"""Items of smart processes and invoices, through crm.item.*: the one way to reach them.

https://apidocs.bitrix24.ru/api-reference/crm/universal/index.html. Each kind has a number, `entityTypeId`; ids are
unique within their kind alone, so an item is known here by both: `177_24`. Fields are camelCase
(`stageId`, `ufCrm44_1721812760630`); our own mark goes into `xmlId`, the item's external code.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action, Done, Record
from plugins.bitrix24 import codes, outgoing, records
from plugins.bitrix24.client import Client
from plugins.bitrix24.search import iso

#: fields every kind may have; a portal's own are ufCrm... (crm.item.add)
FIELDS = (
    "entityTypeId", "title", "categoryId", "stageId", "assignedById", "opportunity", "isManualOpportunity",
    "currencyId", "taxValue", "contactId", "contactIds", "companyId", "mycompanyId", "begindate", "closedate",
    "comments", "opened", "observers", "sourceId", "sourceDescription", "xmlId", "utmSource", "utmMedium",
    "utmCampaign", "utmContent", "utmTerm",
)  # fmt: skip
_REF = re.compile(r"(\d+)_(\d+)")
_FILTER_KEY = re.compile(r"^(?:!=%|!%|=%|%=|!@|!=|>=|<=|[!@<>=%])?[a-z][A-Za-z0-9_]*$")
_WORDS = {
    "marker": "xmlId", "stage": "stageId", "pipeline": "categoryId", "contact": "contactId", "company": "companyId",
    "responsible": "assignedById", "title": "title",
}  # fmt: skip
_TIMES = {
    "since": ">=createdTime", "created_before": "<=createdTime", "changed_since": ">=updatedTime",
    "changed_within": ">=updatedTime", "changed_before": "<=updatedTime",
}  # fmt: skip


# --- words -------------------------------------------------------------------------------------------


def ref(type_id: Any, number: Any) -> str:
    """Return how the hub names an item: `177_24`."""
    return f"{type_id}_{number}"


def parts(name: str) -> tuple[str, str]:
    """Return (entityTypeId, id) of `177_24`, or raise `Refused`."""
    found = _REF.fullmatch(name)
    if not found:
        raise Refused(f"{name!r} is no item; write <entityTypeId>_<id>, for example 177_24", {"id": "no item"})
    return found[1], found[2]


def field_name(name: str) -> str:
    """Return a field's name in crm.item.*: `UF_CRM_44_1721` is `ufCrm44_1721`, `UF_CRM_10_DIGIT10` `ufCrm10Digit10`.

    Underscores between digits stay, the others go
    (https://dev.1c-bitrix.ru/rest_help/crm/dynamic/methodscrmitem/index.php).
    """
    if not name.startswith("UF_CRM_"):
        return name
    first, *rest = name.lower().split("_")
    out = first
    for word in rest:
        out += f"_{word}" if out[-1].isdigit() and word[:1].isdigit() else word.capitalize()
    return out


def pipeline_of(stage: str) -> str:
    """Return the pipeline of an item's stage: `DT177_7:NEW` -> `7`; "" for others."""
    found = re.fullmatch(r"DT\d+_(\d+):.+", stage)
    return found[1] if found else ""


def directory(stage: str) -> str:
    """Return the directory that lists the stages around one: `DT177_7:NEW` -> `DYNAMIC_177_STAGE_7`."""
    found = re.fullmatch(r"DT(\d+)_(\d+):.+", stage)
    if not found:
        return ""
    kind = "SMART_INVOICE" if found[1] == codes.INVOICE else f"DYNAMIC_{found[1]}"
    return f"{kind}_STAGE_{found[2]}"


def fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `fields` of crm.item.add and update; a stage brings its pipeline along."""
    out: dict[str, Any] = {}
    for given_name, given in values.items():
        if given_name in ("entityTypeId", "id"):
            continue
        name = "stageId" if given_name == "stage" else field_name(given_name)
        if isinstance(given, bool):
            out[name] = "Y" if given else "N"
        elif isinstance(given, Decimal):
            out[name] = str(given)
        else:
            out[name] = outgoing.value(name, given)
    if (pipeline := pipeline_of(str(out.get("stageId") or ""))) and "categoryId" not in out:
        out["categoryId"] = pipeline
    return out


def neutral(raw: Mapping[str, Any], type_id: Any, portal: str = "") -> Record:
    """Return an item in the hub's words: those of a deal, and `type` (its kind's number) and `number`."""
    type_id, number = str(raw.get("entityTypeId") or type_id), str(raw.get("id") or "")
    page = f"{portal.rstrip('/')}/crm/type/{type_id}/details/{number}/" if portal and number else ""
    known = {
        "id": ref(type_id, number),
        "type": type_id,
        "number": number,
        "title": raw.get("title"),
        "stage": raw.get("stageId"),
        "pipeline": _id(raw.get("categoryId")),
        "amount": records.money(raw.get("opportunity")),
        "currency": raw.get("currencyId"),
        "contact": _id(raw.get("contactId")),
        "company": _id(raw.get("companyId")),
        "responsible": _id(raw.get("assignedById")),
        "by": _id(raw.get("updatedBy")),
        "created_at": records.instant(raw.get("createdTime")),
        "changed_at": records.instant(raw.get("updatedTime")),
        "moved_at": records.instant(raw.get("movedTime")),
        "url": page,
    }
    return {**{name: value for name, value in known.items() if value not in (None, "")}, "extra": dict(raw)}


def _id(value: Any) -> str:
    return "" if value in (None, "", 0, "0") else str(value)


# --- calls -------------------------------------------------------------------------------------------


class Items:
    """The items of one portal."""

    def __init__(self, client: Client, portal: str, user: str = "") -> None:
        self._client, self._portal, self._user = client, portal, user

    def get(self, name: str) -> Record:
        """Return one item by `177_24`, or raise `Gone`."""
        type_id, _ = parts(name)
        return neutral(self._raw(name), type_id, self._portal)

    def _raw(self, name: str) -> dict[str, Any]:
        type_id, number = parts(name)
        result = self._client.call("crm.item.get", {"entityTypeId": type_id, "id": number})
        return self._item(result, name)

    @staticmethod
    def _item(result: Any, name: str) -> dict[str, Any]:
        item = result.get("item") if isinstance(result, Mapping) else None
        if not isinstance(item, dict) or not item:
            raise Gone(f"item {name} doesn't exist any more")
        return item

    def find(self, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Return matching items of one kind (`entityTypeId`), oldest first; by `marker` alone, of every kind."""
        if any(wanted in (None, "", []) for wanted in by.values()):
            return []
        by = dict(by)
        if _REF.fullmatch(str(by.get("id") or "")):
            type_id, by["id"] = parts(str(by["id"]))
            by.setdefault("entityTypeId", type_id)
        type_id = str(by.pop("entityTypeId", "") or by.pop("type", ""))
        if not type_id and set(by) == {"marker"}:
            return self._marked(by["marker"])[:limit]
        if not type_id.isdigit():
            raise Refused("finding an item needs `entityTypeId`, the number of its kind", {"entityTypeId": "missing"})
        if not by:
            raise Refused("finding an item needs a condition beside entityTypeId")
        asked = {"entityTypeId": type_id, "filter": _filter(by), "select": ["*"]}
        rows = self._client.rows("crm.item.list", asked, limit, key="id", inside="items")
        return [neutral(row, type_id, self._portal) for row in rows]

    def _marked(self, marker: Any) -> list[Record]:
        """Look for our mark in every kind of item there is (crm.enum.ownertype)."""
        rows = self._client.call("crm.enum.ownertype")
        kinds = [str(row["ID"]) for row in rows or [] if str(row.get("SYMBOL_CODE")).startswith(codes.ITEM_KINDS)]
        found: list[Record] = []
        for start in range(0, len(kinds), codes.PAGE):
            asked = {
                f"t{kind}": ("crm.item.list", {"entityTypeId": kind, "filter": {"xmlId": marker}, "select": ["*"]})
                for kind in kinds[start : start + codes.PAGE]
            }
            batch = self._client.batch(asked)
            for name in asked:
                if getattr(batch.errors.get(name), "vendor_code", "") == "access_denied":
                    continue  # what we may not see we didn't make
                result = batch.take(name)
                items = result.get("items") if isinstance(result, Mapping) else None
                found += [neutral(row, name[1:], self._portal) for row in items or []]
        return found

    # --- acting ------------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do it. The core has turned `upsert` into `create` or `update`."""
        acts: dict[str, Callable[[Action], Done]] = {
            "create": self._create, "update": self._update, "set_stage": self._update, "find": self._find,
            "list": self._list, "delete": self._delete,
        }  # fmt: skip
        if action.verb not in acts:
            raise Refused(f"plugin bitrix24 has no action {action.name}")
        return acts[action.verb](action)

    def _create(self, action: Action) -> Done:
        type_id = str(action.values.get("entityTypeId") or action.find.get("entityTypeId") or "")
        if not type_id.isdigit():
            raise Refused(f"{action.name} needs entityTypeId, the number of the kind", {"entityTypeId": "missing"})
        sent = fields(action.values)
        if self._user and not sent.get("assignedById"):
            sent["assignedById"] = self._user
        if action.marker:
            sent["xmlId"] = action.marker
        result = self._client.call("crm.item.add", {"entityTypeId": type_id, "fields": sent})
        item = self._item(result, f"{type_id} (new)")
        record = neutral(item, type_id, self._portal)
        return Done(record, record["id"], links=[("item", record["id"])], written=sent)

    def _update(self, action: Action) -> Done:
        """Read, then write only what differs; unchanged values would save nothing anyway."""
        name = self._target(action)
        type_id, number = parts(name)
        current = self._raw(name)
        wrote = {
            key: given
            for key, given in fields(action.values).items()
            if not outgoing.same(key, given, current.get(key))
        }
        if not wrote:
            return Done(neutral(current, type_id, self._portal), name)
        params = {"entityTypeId": type_id, "id": number, "fields": wrote}
        after = self._item(self._client.call("crm.item.update", params), name)
        before = {key: current.get(key) for key in wrote}
        return Done(neutral(after, type_id, self._portal), name, written=wrote, before=before)

    def _delete(self, action: Action) -> Done:
        name = self._target(action)
        type_id, number = parts(name)
        try:
            self._client.call("crm.item.delete", {"entityTypeId": type_id, "id": number})
        except Gone:
            if action.in_doubt_since is None:
                raise
        return Done({"id": name}, name)

    def _find(self, action: Action) -> Done:
        found = self.find(action.find or action.values, limit=1)
        return Done(found[0], str(found[0]["id"])) if found else Done()

    def _list(self, action: Action) -> Done:
        rows = self.find(action.find or action.values, limit=action.limit or 500)
        return Done({"rows": rows, "count": len(rows)})

    @staticmethod
    def _target(action: Action) -> str:
        by = action.find
        name = str(action.id or (ref(by["entityTypeId"], by["id"]) if by.get("entityTypeId") and by.get("id") else ""))
        if not name:
            raise Refused(f"{action.name} needs an item: give `find` with entityTypeId and id")
        return name


def _filter(by: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filter of crm.item.list; an unknown field is refused there (INVALID_ARG_VALUE)."""
    out: dict[str, Any] = {}
    for key, wanted in by.items():
        if key in _TIMES:
            out[_TIMES[key]] = iso(wanted)
            continue
        name = _WORDS.get(key) or field_name(key)
        if not _FILTER_KEY.match(name):
            raise Refused(f"plugin bitrix24 can't search items by {key!r}", {key: "neither a field nor a known word"})
        if isinstance(wanted, (list, tuple)) and name[0].isalpha():
            out[f"@{name}"] = list(wanted)
        else:
            out[name] = outgoing.value(name, wanted) if not isinstance(wanted, dt.datetime) else iso(wanted)
    return out
