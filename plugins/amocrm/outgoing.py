"""The way out, pure: values become the vendor's bodies, bodies become what was written.

A value goes into the record's own field (`name`, `price`, `responsible_user_id`), or into a custom one named by its
id or code. The hub's words (`title`, `amount`, `stage`, `responsible`, `phone`, `email`, `tags`) are understood too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from hub import normal
from hub.errors import Refused
from hub.model import Action, Record
from plugins.amocrm import codes, values
from plugins.amocrm.directory import Stage

_ALIAS = {"title": "name", "amount": "price", "responsible": "responsible_user_id", "phone": "PHONE", "email": "EMAIL"}
_WHOLE = frozenset({"price", "next_price"})
_TIMES = frozenset({"created_at", "updated_at", "closed_at", "next_date"})
#: records that hold phones and e-mails
_MULTI = ("contact", "company")
#: values that are no fields of the record: what to do beside writing it
BESIDE = ("note", "contact", "company", "tags", "tags_to_add", "tags_to_delete")


def words(kind: str) -> tuple[str, ...]:
    """Return the hub's words that can be written to a kind of record."""
    own = codes.ENTITIES[kind].fields
    ours = tuple(word for word, name in _ALIAS.items() if kind in _MULTI or name not in codes.MULTITEXT)
    ours = tuple(word for word in ours if word != "amount" or kind == "deal")
    return (*own, *ours, *BESIDE, *(("stage", "status", "pipeline") if kind == "deal" else ()))


FieldOf = Callable[[str], values.Field]
StageOf = Callable[[str], Stage]


@dataclass
class Fields:
    """What a record is to hold: own fields as sent, custom ones as (field, values), and what is done beside."""

    own: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, tuple[values.Field, list[dict[str, Any]] | None]] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return the record as the API takes it. An emptied custom field has `values: null`."""
        out = dict(self.own)
        rows = [{"field_id": int(known.id), "values": rows} for known, rows in self.custom.values()]
        if rows:
            out["custom_fields_values"] = rows
        add, drop = (
            tags(self.beside.get("tags", self.beside.get("tags_to_add"))),
            tags(self.beside.get("tags_to_delete")),
        )
        return {**out, **({"tags_to_add": add} if add else {}), **({"tags_to_delete": drop} if drop else {})}

    def written(self, at: dt.tzinfo) -> dict[str, Any]:
        """Return the same flat, in the spelling in which a read brings it back: so the echo is known."""
        out = {name: value for name, value in self.own.items() if name not in ("request_id", "updated_at")}
        for known, rows in self.custom.values():
            for name in known.spellings:
                out[name] = values.shown(known, rows, at)
        if "status_id" in out and "pipeline_id" in out:
            out["stage"] = f"{out['pipeline_id']}/{out['status_id']}"
        if "responsible_user_id" in out:
            out["responsible"] = str(out["responsible_user_id"])
        return out

    def __bool__(self) -> bool:
        return bool(self.own or self.custom)


def fields(
    kind: str, given: Mapping[str, Any], field_of: FieldOf, stage_of: StageOf, at: dt.tzinfo
) -> Fields:  # fmt: skip
    """Return the fields that the values of a step stand for. Raises `Refused` where a name or a value can't be."""
    out = Fields()
    own = codes.ENTITIES[kind].fields
    for key, value in given.items():
        name = _ALIAS.get(key, key)
        if name in BESIDE:
            out.beside[name] = value
        elif name in ("stage", "status") and kind == "deal":
            stage = stage_of(str(value))
            out.own |= {"pipeline_id": int(stage.pipeline), "status_id": int(stage.id)}
        elif name == "pipeline" and kind == "deal":
            out.own["pipeline_id"] = integer(name, value)
        elif name in own:
            out.own[name] = own_value(name, value, at)
        else:
            known = field_of(name)
            out.custom[known.id] = (known, values.written(known, value, at))
    return out


def own_value(name: str, value: Any, at: dt.tzinfo) -> Any:
    """Return a value for one of a record's own fields: ids, amounts and times as whole numbers, the rest as text."""
    if value in (None, ""):
        return None if name.endswith(("_id", "_at")) else ("" if name not in _WHOLE else 0)
    if name in _WHOLE:
        return whole(name, value)
    if name in _TIMES:
        return seconds_of(name, value, at)
    if name.endswith(("_id", "_by")) and name != "request_id":
        return integer(name, value)
    return str(value)


def whole(name: str, value: Any) -> int:
    """Return an amount in whole units, as amoCRM keeps a deal's: 1499.50 becomes 1500."""
    text = str(value).replace("\u00a0", "").replace(" ", "").replace(",", ".")
    try:
        amount = Decimal(text).quantize(Decimal(1), ROUND_HALF_UP)
    except InvalidOperation:
        raise Refused(f"{name}: {str(value)[:60]!r} is no amount", {name: "no amount"}) from None
    return int(amount)


def integer(name: str, value: Any) -> int:
    """Return an id as a number; raises `Refused` for what is none."""
    text = str(value).strip()
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 18:
        raise Refused(f"{name}: {text[:60]!r} is no id; amoCRM's are numbers", {name: "no number"})
    return int(text)


def seconds_of(name: str, value: Any, at: dt.tzinfo) -> int:
    """Return a time as unix seconds; a time without zone is the hub's own."""
    found = values.moment_of(value, at)
    if found is None:
        raise Refused(f"{name}: {str(value)[:60]!r} is no time; write 2026-05-04T18:30", {name: "no time"})
    return int(found.timestamp())


def tags(given: Any) -> list[dict[str, str]]:
    """Return tags as the API takes them; one text may hold several, separated by commas."""
    rows = given if isinstance(given, (list, tuple)) else str(given or "").split(",")
    return [{"name": text} for row in rows if (text := str(row).strip())]


# --- people ------------------------------------------------------------------------------------------


def contact_values(contact: Record) -> dict[str, Any]:
    """Return the fields that make a contact out of the neutral record; a nameless one is named by what is known."""
    phones = [one for one in contact.get("phones") or [contact.get("phone") or contact.get("phone_raw")] if one]
    emails = [one for one in contact.get("emails") or [contact.get("email") or contact.get("email_raw")] if one]
    handles = contact.get("handles")
    first, rest = str(contact.get("first_name") or ""), str(contact.get("last_name") or "")
    name = str(contact.get("name") or "").strip()
    if name and not first and not rest:
        first, rest = normal.split_name(name)
    if not first and not rest:
        known = [
            name,
            *phones,
            *emails,
            contact.get("handle"),
            *(handles.values() if isinstance(handles, Mapping) else ()),
        ]
        first = next((str(word) for word in known if word), "")
    out = {"first_name": first, "last_name": rest, "PHONE": phones, "EMAIL": emails}
    return {key: value for key, value in out.items() if value}


# --- differences -------------------------------------------------------------------------------------


def changes(
    wanted: Fields, current: Mapping[str, Any], extra: Mapping[str, Any], region: str, at: dt.tzinfo,
    empties_only: bool = False, exact: bool = False,
) -> Fields:  # fmt: skip
    """Return what of `wanted` differs from the record as read.

    Phones and e-mails are added when they are missing in any spelling, never repeated or removed: a field is replaced
    whole, so what is there goes along, unless just these are wanted (`exact`). `empties_only` leaves what the record
    already says alone.
    """
    out = Fields(beside=dict(wanted.beside))
    for name, value in wanted.own.items():
        has = current.get(name)
        if name == "name" and empties_only and has:
            continue
        if empties_only and has not in (None, "", 0):
            continue
        if str("" if value is None else value) != str("" if has is None else has):
            out.own[name] = value
    if "status_id" in out.own and "pipeline_id" in wanted.own:  # amoCRM takes a stage with its pipeline
        out.own["pipeline_id"] = wanted.own["pipeline_id"]
    elif "pipeline_id" in out.own and "status_id" in wanted.own:
        out.own["status_id"] = wanted.own["status_id"]
    for number, (known, rows) in wanted.custom.items():
        has = extra.get(number)
        if known.type == "multitext" and exact:
            there = _rows_of(current, number)
            wish = _spellings(known, rows, region)
            kept = [
                row
                for row in there
                if _spelling(known.code, row.get("value"), region) in wish or not _valid(known.code, row, region)
            ]
            joined = _joined(known, rows or [], kept, region)
            if joined or len(kept) < len(there):
                out.custom[number] = (known, joined or _plain_rows(kept) or None)
        elif known.type == "multitext" and rows:
            if joined := _joined(known, rows, _rows_of(current, number), region):
                out.custom[number] = (known, joined)
        elif empties_only and has not in (None, "", [], {}):
            continue
        elif not _same(values.shown(known, rows, at), has):
            out.custom[number] = (known, rows)
    return out


def _same(ours: Any, theirs: Any) -> bool:
    if ours in (None, "", [], {}) and theirs in (None, "", [], {}):
        return True
    if isinstance(ours, list) and isinstance(theirs, list):
        return [str(one) for one in ours] == [str(one) for one in theirs]
    if str(ours) == str(theirs):
        return True
    try:
        return not isinstance(ours, bool) and Decimal(str(ours)) == Decimal(str(theirs))
    except InvalidOperation:
        return False


def _rows_of(current: Mapping[str, Any], number: str) -> list[dict[str, Any]]:
    rows = current.get("custom_fields_values")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, Mapping) and str(row.get("field_id")) == number:
            return [dict(value) for value in row.get("values") or [] if isinstance(value, Mapping)]
    return []


def _joined(
    known: values.Field, new: list[dict[str, Any]], there: list[dict[str, Any]], region: str
) -> list[dict[str, Any]] | None:  # fmt: skip
    """Return what is there with what is missing; None if nothing is."""
    have = {_spelling(known.code, row.get("value"), region) for row in there}
    more = []
    for row in new:
        spelling = _spelling(known.code, row.get("value"), region)
        if spelling not in have:
            have.add(spelling)
            more.append(row)
    return [*_plain_rows(there), *more] if more else None


def _plain_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in ("value", "enum_id", "enum_code") if row.get(key) is not None} for row in rows]


def _valid(code: str, row: Mapping[str, Any], region: str) -> bool:
    """Return whether a value is a phone or an e-mail; what is none stays, nobody who names the wanted ones sees it."""
    text = str(row.get("value") or "")
    return (
        normal.phone(text, region) if code == "PHONE" else normal.email(text) if code == "EMAIL" else text
    ) is not None


def _spellings(known: values.Field, rows: list[dict[str, Any]] | None, region: str) -> set[str]:
    return {_spelling(known.code, row.get("value"), region) for row in rows or []}


def _spelling(code: str, value: Any, region: str) -> str:
    text = str(value or "").strip()
    if code == "PHONE":
        return normal.phone(text, region) or "".join(letter for letter in text if letter.isdigit()) or text
    if code == "EMAIL":
        return normal.email(text) or text.lower()
    return text.casefold()


# --- incoming leads, notes, tasks ----------------------------------------------------------------------


def form_lead(action: Action, deal: Mapping[str, Any], contact: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an incoming lead from a form (unsorted/forms). `source_uid` holds our marker.

    https://www.amocrm.ru/developers/content/crm_platform/unsorted-api
    """
    given, event = action.values, action.event
    form = (event.record.get("form") if event else None) or {}
    source = (event.record.get("source") if event else None) or (form.get("source") or {})
    happened = (event.occurred_at if event else None) or dt.datetime.now(dt.UTC)
    told = {
        "form_id": str(given.get("form_id") or form.get("id") or "hub"),
        "form_name": str(given.get("form_name") or form.get("name") or (event.title if event else "") or "hub"),
        "form_page": str(given.get("form_page") or form.get("page") or source.get("page") or "hub"),
        "form_sent_at": int(happened.timestamp()),
    }
    told |= {name: str(known) for name in ("ip", "referer") if (known := given.get(name) or source.get(name))}
    body: dict[str, Any] = {
        "source_name": str(given.get("source_name") or (event.connection if event else "") or "hub"),
        "source_uid": action.marker or str(given.get("source_uid") or "hub"),
        "created_at": int(happened.timestamp()),
        "metadata": told,
        "_embedded": {"leads": [dict(deal)], **({"contacts": [dict(contact)]} if contact else {})},
    }
    pipeline = deal.get("pipeline_id")
    if pipeline:
        body["pipeline_id"] = pipeline
        body["_embedded"]["leads"][0].pop("pipeline_id")
    body["_embedded"]["leads"][0].pop("status_id", None)
    return body


#: values of lead.create that are about the form, not fields of the deal inside
FORM_WORDS = ("form_id", "form_name", "form_page", "ip", "referer", "source_name", "source_uid")


def owner(given: Mapping[str, Any]) -> tuple[str, str]:
    """Return (kind, id) of the record that a note or a task hangs on; ("", "") if none is named.

    Named by `deal: 55`, or in the vendor's words: `entity_type: leads`, `entity_id: 55`.
    """
    for kind in codes.ENTITIES:
        if given.get(kind):
            return kind, str(given[kind])
    word, number = str(given.get("entity_type") or ""), str(given.get("entity_id") or "")
    if not number:
        return "", ""
    kind = codes.BY_WORD.get(word or "leads", "")
    if not kind:
        raise Refused(
            f"entity_type: {word[:40]!r} is none of leads, contacts, companies, customers", {"entity_type": word}
        )
    return kind, number


def note(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a note: `note_type` is `common` unless said, everything not known goes into its params."""
    quiet = "is_need_to_trigger_digital_pipeline"
    known = (
        "entity_id",
        "entity_type",
        "note_type",
        "created_by",
        "responsible_user_id",
        "params",
        quiet,
        *codes.ENTITIES,
    )
    params = given.get("params")
    more = {key: value for key, value in given.items() if key not in known and value not in (None, "")}
    out: dict[str, Any] = {
        "note_type": str(given.get("note_type") or "common"),
        "params": {**(params if isinstance(params, Mapping) else {}), **more},
    }
    for name in ("created_by", "responsible_user_id"):
        if given.get(name):
            out[name] = integer(name, given[name])
    if given.get(quiet) not in (None, ""):
        out[quiet] = str(given[quiet]).lower() in ("yes", "true", "1")
    if "duration" in out["params"]:
        out["params"]["duration"] = integer("duration", out["params"]["duration"])
    return out


def task(given: Mapping[str, Any], user: str, at: dt.tzinfo, now: dt.datetime) -> dict[str, Any]:
    """Return the body of a task; without `complete_till` it is due in a day."""
    kind, number = owner(given)
    out: dict[str, Any] = {"text": str(given.get("text") or given.get("title") or "")}
    due = given.get("complete_till", given.get("deadline"))
    if due not in (None, ""):
        out["complete_till"] = seconds_of("complete_till", due, at)
    elif "text" in given or "title" in given:
        out["complete_till"] = int((now + dt.timedelta(days=1)).timestamp())
    if kind:
        out |= {"entity_type": codes.ENTITIES[kind].path, "entity_id": integer("entity_id", number)}
    who = given.get("responsible_user_id") or given.get("responsible") or user
    if who:
        out["responsible_user_id"] = integer("responsible_user_id", who)
    for name in ("task_type_id", "duration", "created_by"):
        if given.get(name) not in (None, ""):
            out[name] = integer(name, given[name])
    return out


def call(given: Mapping[str, Any], marker: str) -> dict[str, Any]:
    """Return the body of a call (calls-api); `uniq` is our marker where the route gives none."""
    way = str(given.get("direction") or "inbound").lower()
    out: dict[str, Any] = {
        "direction": {"in": "inbound", "out": "outbound"}.get(way, way),
        "duration": integer("duration", given.get("duration") or 0),
        "source": str(given.get("source") or "hub"),
        "phone": str(given.get("phone") or ""),
        "uniq": str(given.get("uniq") or marker),
    }
    for name in ("link", "call_result", "call_responsible"):
        if given.get(name):
            out[name] = str(given[name])
    if given.get("recording"):
        out.setdefault("link", str(given["recording"]))
    for name in ("call_status", "created_by", "responsible_user_id"):
        if given.get(name):
            out[name] = integer(name, given[name])
    return out
