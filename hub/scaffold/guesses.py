"""What the samples seem to say: which field names the event, which the message, the record, the human.

A guess is only worth having if a wrong one does no harm. So the key is a field only where its name can mean nothing
but the message (a record's id comes again with its next change, and that change would be taken for a repetition).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import normal
from hub.events import KNOWN_EVENTS
from hub.records import FIELDS
from hub.scaffold.samples import Sample, leaves

_EVENT_FIELDS = (
    "event", "event_type", "eventtype", "event_name", "eventname", "webhook_type", "topic", "trigger", "action", "type",
    "kind", "alert_name",
)  # fmt: skip
_KEYS = (
    "event_id", "eventid", "message_id", "messageid", "webhook_id", "webhookid", "notification_id", "delivery_id",
    "tranid", "request_id", "requestid", "uuid", "guid",
)  # fmt: skip
_ENVELOPES = ("data", "object", "payload", "resource", "body")
_TIMES = (
    "occurred_at", "event_time", "happened_at", "created_at", "createdat", "updated_at", "date_create", "datetime",
    "timestamp", "created", "date", "time", "ts", "at",
)  # fmt: skip
_STATUSES = ("status", "state", "stage", "status_id", "stage_id", "statusid", "status_code", "tag")
_PEOPLE: Mapping[str, Sequence[str]] = {
    "phone": ("phone", "phone_number", "phonenumber", "tel", "telephone", "mobile", "msisdn", "callerphone",
              "customer_phone", "client_phone", "your_tel", "your_phone", "телефон"),
    "email": ("email", "e_mail", "mail", "customer_email", "client_email", "your_email", "почта"),
    "name": ("full_name", "fullname", "client_name", "customer_name", "fio", "name", "your_name", "фио", "имя"),
}  # fmt: skip
_FOREIGN = re.compile(
    r"account|portal|user|author|manager|owner|auth|client_id|app\b|sender|receiver|recipient|from\.|meta|_info", re.I
)
_SIGNATURE = re.compile(r"signature|hmac|digest|x-.*-sign", re.I)

#: neutral record -> how vendors call it; the first that is found counts
_RECORDS: Mapping[str, str] = {
    "comment": "comment", "note": "note", "message": "message", "task": "task", "call": "call",
    "deal": "deal opportunity", "lead": "lead", "contact": "contact customer client", "company": "company account",
    "parcel": "parcel shipment tracking waybill delivery package", "payment": "payment invoice charge",
    "order": "order purchase checkout", "form": "form submission", "email": "email mail",
    "subscription": "subscri",
}  # fmt: skip
_VERBS: Mapping[str, str] = {
    "status_changed": "status mov", "stage_changed": "stage", "created": "create add new insert placed",
    "updated": "update change edit modif", "deleted": "delete remove", "submitted": "submit",
    "completed": "complete", "finished": "end finish complete hangup", "started": "start init ring", "missed": "miss",
    "bounced": "bounce", "opened": "open", "clicked": "click", "delivered": "deliver", "unsubscribed": "unsub",
    "read": "read seen", "sent": "sent send outgoing", "received": "receive incoming paid success new add",
    "changed": "change update",
}  # fmt: skip


@dataclass
class Guess:
    """What was guessed. Paths are dotted; "" where nothing was found."""

    event_field: str = ""
    #: outermost names of which a message has one, and which tells what it is: `{"leads": {"add": [...]}}`
    event_keys: list[str] = field(default_factory=list)
    #: native name -> neutral event or `vendor.<native name>`
    events: dict[str, str] = field(default_factory=dict)
    default_event: str = "vendor.message"
    key: str = ""
    #: paths of the record's id, tried in turn
    subjects: list[str] = field(default_factory=list)
    #: record.field -> path
    fields: dict[str, str] = field(default_factory=dict)
    status: str = ""
    statuses: list[str] = field(default_factory=list)
    time: str = ""
    methods: list[str] = field(default_factory=list)
    #: headers that look like a signature
    signatures: list[str] = field(default_factory=list)


def guess(samples: Sequence[Sample]) -> Guess:
    """Return what the samples seem to say."""
    flat: list[dict[str, Any]] = []
    for message in (message for sample in samples for message in sample.messages):
        if (one := dict(leaves(message))) not in flat:
            flat.append(one)
    found = Guess(methods=sorted({sample.request.method for sample in samples}) or ["POST"])
    found.event_field = _event_field(flat)
    stems = {neutral(sample.name.split(".webhook")[0]) for sample in samples}
    bodies = [message for sample in samples for message in sample.messages]
    if not found.event_field:
        found.event_keys = _event_keys(bodies)
    if found.event_field or found.event_keys:
        natives = dict.fromkeys(native for one in bodies if (native := native_of(one, found)))
        found.events = {native: neutral(native) or f"vendor.{word(native)}" for native in natives}
    elif len(stems) == 1 and (only := stems.pop()):
        found.default_event = only
    found.key = _key(flat, bool(found.event_field))
    found.subjects = _subjects(flat, found)
    for ours, names in _PEOPLE.items():
        if path := _person(flat, names, _LOOKS[ours]):
            found.fields[f"contact.{ours}"] = path
    own = [{path: value for path, value in one.items() if not _foreign(path)} for one in flat]
    found.status = _first(own, _STATUSES, _short, found.event_field)
    found.statuses = sorted({str(one[found.status]) for one in flat if one.get(found.status) not in (None, "")})
    found.time = _first(flat, _TIMES, lambda value: instant(value) is not None)
    found.signatures = sorted({name for one in samples for name in one.request.headers if _SIGNATURE.search(name)})
    return found


def native_of(message: Mapping[str, Any], found: Guess) -> str:
    """Return a message's own word for what happened, as the generated incoming.py finds it."""
    if found.event_field:
        return str(dict(leaves(message)).get(found.event_field) or "")
    for name in found.event_keys:
        if isinstance(inner := message.get(name), dict | list) and inner:
            return f"{name}.{next(iter(inner))}" if isinstance(inner, dict) and len(inner) == 1 else name
    return ""


def neutral(native: str) -> str:
    """Return the neutral event a vendor's word seems to mean, "" if none: `ONCRMDEALADD` -> `deal.created`."""
    text = native.lower()
    for record, words in _RECORDS.items():
        said = next((one for one in words.split() if one in text), None)
        if said is None:
            continue
        rest = text.replace(said, " ", 1)
        for verb, verbs in _VERBS.items():
            if f"{record}.{verb}" in KNOWN_EVENTS and any(one in rest for one in verbs.split()):
                return f"{record}.{verb}"
    return ""


def word(native: str) -> str:
    """Return a vendor's word as the end of `vendor.<word>`."""
    return re.sub(r"\W+", "_", native.lower()).strip("_")[:100] or "message"


def record_of(event: str) -> str:
    """Return the record an event of the plugin carries: its own where the hub has such fields, else `item`."""
    record = event.partition(".")[0]
    return record if record in FIELDS and record != "event" else "item"


def instant(value: Any) -> dt.datetime | None:
    """Return an instant: epoch seconds or milliseconds, or ISO text with an offset; None for anything else."""
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{10}(\d{3})?(\.\d+)?", text):
            seconds = float(text)
            return dt.datetime.fromtimestamp(seconds / (1000 if seconds > 1e11 else 1), dt.UTC)
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC) if moment.utcoffset() is not None else None
    except (ValueError, OverflowError):
        return None


# --- help --------------------------------------------------------------------------------------------


def _named(path: str) -> str:
    """Return the last name of a path as the tables have it: `data.Client-Phone` -> `client_phone`."""
    last = next((bit for bit in reversed(path.split(".")) if not bit.isdigit()), "")
    return re.sub(r"\W+", "_", last).strip("_").lower()


def _paths(flat: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all paths, the flattest first, in the order they came."""
    return sorted(dict.fromkeys(path for one in flat for path in one), key=lambda path: path.count("."))


def _short(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and 0 < len(str(value)) <= 60


def _first(
    flat: Sequence[Mapping[str, Any]], names: Sequence[str], fits: Callable[[Any], bool], but: str = ""
) -> str:  # fmt: skip
    """Return the path with the best name whose values all fit; "" without one."""
    paths = [path for path in _paths(flat) if path != but]
    for name in names:
        for path in paths:
            values = [one[path] for one in flat if one.get(path) not in (None, "")]
            if _named(path) == name and values and all(map(fits, values)):
                return path
    return ""


def _event_field(flat: Sequence[Mapping[str, Any]]) -> str:
    def fits(value: Any) -> bool:
        return isinstance(value, str) and re.fullmatch(r"\w[^\r\n]{1,59}", value) is not None

    shallow = [{path: value for path, value in one.items() if path.count(".") < 2} for one in flat]
    common = [path for path in _paths(shallow) if sum(path in one for one in flat) * 2 >= len(flat)]
    return _first([{path: one[path] for path in common if path in one} for one in shallow], _EVENT_FIELDS, fits)


def _event_keys(bodies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the outermost names with something inside that some messages have and others don't."""
    inside = [[name for name, value in body.items() if isinstance(value, dict | list) and value] for body in bodies]
    names = dict.fromkeys(name for one in inside for name in one)
    names = {name: None for name in names if name.isprintable()}
    telling = [name for name in names if not _FOREIGN.search(name) and sum(name in one for one in inside) < len(bodies)]
    told = [len(set(one) & set(telling)) for one in inside]
    return telling if len(telling) > 1 and max(told) == 1 and sum(told) * 2 > len(bodies) else []


def _key(flat: Sequence[Mapping[str, Any]], typed: bool) -> str:
    for path in _paths(flat):
        values = [str(one[path]) for one in flat if _short(one.get(path))]
        sure = _named(path) in _KEYS and path.count(".") < 2
        envelope = path == "id" and typed and any(_split(other)[0] in _ENVELOPES for one in flat for other in one)
        if (sure or envelope) and len(values) == len(flat) == len(set(values)):
            return path
    return ""


def _subjects(flat: Sequence[Mapping[str, Any]], found: Guess) -> list[str]:
    """Return the ids of what happened, the likeliest first: a record's own before a bare `id`."""
    records = {record_of(event) for event in (*found.events.values(), found.default_event)} - {"item"}
    ranks: dict[str, int] = {}
    for path in _paths(flat):
        name, holder = _named(path), _named(path.rpartition(".")[0])
        above = {bit.lower() for bit in path.split(".")[:-1]}
        values = [one[path] for one in flat if path in one]
        if path in (found.key, found.event_field) or sum(map(_short, values)) * 2 < len(values) or _foreign(path):
            continue
        if name in {f"{record}_id" for record in records} | {"tracking_number", "number", "order_id", "orderid"}:
            ranks[path] = 0
        elif name == "id" and (
            holder in (*_ENVELOPES, "fields") or above & {*records, *(f"{one}s" for one in records)}
        ):
            ranks[path] = 1
        elif name == "id":
            ranks[path] = 2 + path.count(".")
    return sorted(ranks, key=lambda path: ranks[path])[:20]


def _foreign(path: str) -> bool:
    """Return whether a value belongs to somebody else: the account, the user, whoever sends or gets it."""
    return _FOREIGN.search(path) is not None


def _person(flat: Sequence[Mapping[str, Any]], names: Sequence[str], fits: Callable[[Any], bool]) -> str:
    return _first(flat, names, fits)


def _split(path: str) -> tuple[str, str]:
    head, _, rest = path.partition(".")
    return head, rest


_LOOKS: Mapping[str, Callable[[Any], bool]] = {
    "phone": lambda value: len(re.sub(r"\D", "", str(value))) in range(7, 16),
    "email": lambda value: normal.email(str(value)) is not None,
    "name": lambda value: isinstance(value, str) and re.fullmatch(r"[^\W\d_][\w .'’-]{1,80}", value) is not None,
}
