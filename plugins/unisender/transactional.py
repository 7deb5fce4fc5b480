"""The actions of Unisender Go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import Refused
from hub.model import Action, Done
from plugins.unisender import message, values
from plugins.unisender.client import objects
from plugins.unisender.go_client import GoClient


@dataclass(frozen=True)
class GoDesk:
    """The client, the settings and the present instant of one act."""

    client: GoClient
    settings: Mapping[str, Any]
    now: dt.datetime


#: why letters to an address are held back
CAUSES = ("unsubscribed", "temporary_unavailable", "permanent_unavailable", "complained", "blocked")

GoHandler = Callable[[GoDesk, Action], Done]


def send(desk: GoDesk, action: Action) -> Done:
    """Send a letter, of its own or by template. Its events come with the job's id."""
    body = message.message(action.values, desk.settings, action.marker)
    result, events = message.sent(desk.client.call("email/send", body), action.marker)
    events = [event.with_(occurred_at=desk.now) for event in events]
    return Done(result, id=result["id"], links=[("email", result["id"])], events=events)


def subscribe(desk: GoDesk, action: Action) -> Done:
    """Ask somebody who has left to come back: the vendor sends the letter with the link."""
    given = action.values
    address = values.email(given.get("email"))
    sender = values.text(given.get("from_email")) or desk.settings["from_email"]
    name = values.text(given.get("from_name")) or desk.settings["from_name"]
    if not sender or not name:
        raise Refused("email.subscribe: who writes? Set from_email and from_name", {"from_email": "is empty"})
    desk.client.call("email/subscribe", {"from_email": sender, "from_name": name, "to_email": address})
    return Done({"email": address, "status": "asked"})


def validate(desk: GoDesk, action: Action) -> Done:
    """Ask whether an address exists -> `value` valid, invalid, suspicious or unknown, `cause`, `validity`."""
    address = values.email(action.values.get("email"))
    answer = desk.client.call("email-validation/single", {"email": address}, changes=False)
    return Done({**answer, "email": address, "value": values.text(answer.get("result"))})


def suppress(desk: GoDesk, action: Action) -> Done:
    """Let no more letters go to an address: its owner has said so elsewhere."""
    address = values.email(action.values.get("email"))
    cause = values.text(action.values.get("cause")) or "unsubscribed"
    if cause not in CAUSES:
        raise Refused(f"cause: {cause!r} is none of {', '.join(CAUSES)}", {"cause": "unknown"})
    desk.client.call("suppression/set", {"email": address, "cause": cause})
    return Done({"email": address, "cause": cause})


def suppressions(desk: GoDesk, action: Action) -> Done:
    """Ask whether letters to an address are held back, and why: `rows` with `cause`, none if they aren't."""
    address = values.email(action.values.get("email"))
    answer = desk.client.call("suppression/get", {"email": address, "all_projects": False}, changes=False)
    rows = objects(answer.get("suppressions"))
    return Done({"email": address, "cause": values.text(rows[0].get("cause")) if rows else "", "rows": rows})


def release(desk: GoDesk, action: Action) -> Done:
    """Let letters go to an address again; what its owner or its server has said the vendor doesn't let go of."""
    address = values.email(action.values.get("email"))
    desk.client.call("suppression/delete", {"email": address})
    return Done({"email": address, "cause": ""})


def templates(desk: GoDesk, action: Action) -> Done:
    """List templates."""
    asked = {"limit": min(action.limit or 50, 50), "offset": int(values.text(action.values.get("offset")) or 0)}
    rows = objects(desk.client.call("template/list", asked, changes=False).get("templates"))
    return Done({**(rows[0] if rows else {}), "rows": rows, "count": len(rows)})


def api(desk: GoDesk, action: Action) -> Done:
    """Call any method with the values as they are: `method: suppression/list`."""
    answer = desk.client.call(action.method.removesuffix(".json"), action.values)
    listed = next((one for one in answer.values() if isinstance(one, list)), [])
    rows = objects(listed)
    return Done({**answer, "rows": rows, "count": len(rows), "value": answer})
