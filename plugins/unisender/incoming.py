"""Stored request -> events. Pure.

Two shapes of both products: grouped, `{"auth", "events_by_user": [{"login" | "user_id", .., "events": [{"event_name",
"event_time"?, "event_data": {..}}]}]}`, and flat (`single_event=1`), where the members of `event_data` stand beside
`auth`. A repetition carries `retry_count` and another signature, and may be grouped otherwise: what is the same is
told by what each event says. Requests with the method POLL are the hub's own: what it asked for (`watching`, `hooks`),
or an event found in a dump, in the grouped shape (`dumps`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from plugins.unisender import events, signing

#: what a repetition changes
_VOLATILE = frozenset({"auth", "retry_count"})
#: whose account it is; beside `event_data` when grouped, among its members when flat
_OWNER = ("login", "user_id", "project_id", "project_name")
#: what tells one status of a letter from another, besides its time; a robot may follow two links in one second
_IDENTITY = ("job_id", "email_id", "campaign_id", "email", "status", "email_status", "Status", "url")
_URL = re.compile(r"https?://[^\s\"'<>]+")


@dataclass(frozen=True)
class Told:
    """One event as the vendor tells it. `time` is its own text, in UTC only from Go."""

    name: str
    time: str
    data: Mapping[str, Any]
    login: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others, since there is no id: of a letter's status which letter, whose, what and when.

        Two webhooks of one account may tell it with different details (`delivery_info` or not). Of anything else all
        that it says counts.
        """
        known = [events.text(self.data.get(name)) for name in _IDENTITY] if self.name in events.LETTERS else []
        said = [self.name, self.time, self.login, known if any(known) else self.data]
        digest = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return f"{events.native(self.name)}:{digest[:40]}"


def receipt_key(request: Request) -> str:
    """Return the same key for a message and its repetitions, as long as they hold the same events."""
    body = signing.read(request)
    if "events_by_user" in body or "event_name" in body:
        keys = [told.key if isinstance(told, Told) else repr(told) for told in unfold(body)]
        said = "\n".join(keys).encode("utf-8", "replace")
    else:
        said = orjson.dumps(_settled(body), option=orjson.OPT_SORT_KEYS)
    return "body:" + hashlib.sha256(said).hexdigest()[:40]


def parse(receipt: Receipt, view: events.View, export_token: str) -> list[Event]:
    """Return the events of a stored request: a webhook, the answer to an export, or what a poll has found."""
    request = receipt.request
    if request.method == "POLL" and "events_by_user" not in (said := signing.read(request)):
        return events.polled(said, view)
    if request.tail == export_token:
        return [_export(request, view)]
    found: dict[str, Event] = {}
    for told in unfold(signing.read(request)):
        event = (
            events.told(told.name, told.time, told.data, told.key, view)
            if isinstance(told, Told)
            else events.unreadable(told, view)
        )
        found.setdefault(event.key, event)
    return list(found.values())


def unfold(body: Mapping[str, Any]) -> Iterator[Told | Any]:
    """Yield what a body tells, event by event; a piece that is no event is yielded as it is.

    Raises `Rejected` for a body of neither shape: it is kept as an unreadable receipt.
    """
    if "events_by_user" not in body:
        if not events.text(body.get("event_name")):
            raise Rejected(400, "neither events_by_user nor event_name: not a message of Unisender's")
        yield _told(body, {name: value for name, value in body.items() if name not in _OWNER}, body)
        return
    users = body["events_by_user"]
    if not isinstance(users, list):
        raise Rejected(400, "events_by_user is no list")
    for user in users:
        listed = _events(user) if isinstance(user, Mapping) else None
        if listed is None:
            yield user
            continue
        for one in listed:
            data = one.get("event_data") if isinstance(one, Mapping) else None
            if isinstance(one, Mapping) and events.text(one.get("event_name")):
                yield _told(one, _object(data), user)
            else:
                yield one


def _events(user: Mapping[str, Any]) -> list[Any] | None:
    listed = next((user[name] for name in ("events", "Events") if name in user), None)
    return listed if isinstance(listed, list) else None


def _object(data: Any) -> Mapping[str, Any]:
    """Return `event_data` as an object: an empty one of PHP's comes as a list."""
    if isinstance(data, Mapping):
        return data
    return {} if data in ([], None) else {"data": data}


def _told(event: Mapping[str, Any], data: Mapping[str, Any], owner: Mapping[str, Any]) -> Told:
    told = {
        name: value
        for name, value in data.items()
        if name not in _VOLATILE and name not in ("event_name", "event_time")
    }
    time = events.text(event.get("event_time")) or events.text(data.get("event_time"))
    return Told(events.text(event["event_name"]), time, told, events.text(owner.get("login")))


def _settled(value: Any) -> Any:
    """Return a body without what a repetition changes, at whatever depth it stands."""
    if isinstance(value, dict):
        return {name: _settled(inner) for name, inner in value.items() if name not in _VOLATILE}
    return [_settled(inner) for inner in value] if isinstance(value, list) else value


# --- the answer to an export ----------------------------------------------------------------------


def export_key(request: Request) -> str:
    """Return the key of an export's answer: its task, else its bytes."""
    task, url = _export_says(request)
    return f"export:{task}:{bool(url)}" if task else "export:" + hashlib.sha256(request.body).hexdigest()[:40]


def _export(request: Request, view: events.View) -> Event:
    task, url = _export_says(request)
    if not task and not url:
        raise Rejected(400, "the answer to an export names neither its task nor a file")
    return events.export(task, url, "", view)


def _export_says(request: Request) -> tuple[str, str]:
    """Return task and file; the members of this message are not confirmed, so both are looked for by their look.

    Members come as JSON, or as a form.
    """
    body = signing.raw(request)
    said: Any = dict(request.form()) if request.content_type == "application/x-www-form-urlencoded" else None
    if not said:
        said = signing.read(request)
    task = _find(said, "task_uuid") or _find(said, "uuid")
    links = _URL.findall(body.decode("utf-8", "replace").replace("\\/", "/"))
    link = _find(said, "file_to_download") or _find(said, "url") or (links[0] if links else "")
    return task[:100], link[:2000]


def _find(value: Any, name: str) -> str:
    """Return the first member of this name at whatever depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            if isinstance(one.get(name), str):
                return str(one[name])
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return ""
