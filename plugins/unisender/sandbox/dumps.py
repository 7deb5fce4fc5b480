"""Dumps of Unisender Go's events: ordered, made by and by, fetched as CSV files of at most 100 000 lines."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

from flask import request

from plugins.unisender.sandbox.world import Fault, Params, World

_TIME = "%Y-%m-%d %H:%M:%S"
_COLUMNS = ("project_id", "event_time", "job_id", "from_email", "email", "status", "delivery_status", "metadata",
            "destination_response", "user_agent", "url", "ip", "tags")  # fmt: skip
_STEPS = ("queued", "in_process", "ready")
_MOST, _LINES, _DAYS = 10, 100_000, 32


def _no(text: str, status: int = 400) -> Fault:
    return Fault("", text, status)


def create(world: World, body: Params) -> Params:
    """Order one; no more than ten are kept."""
    if len(world.dumps) >= _MOST:
        raise _no(f"No more than {_MOST} dumps are kept: delete one")
    now = dt.datetime.fromtimestamp(world.clock(), dt.UTC)
    start = max(_time(body, "start_time", None), now - dt.timedelta(days=_DAYS))
    end = _time(body, "end_time", now)
    fields = body.get("dump_fields") or list(_COLUMNS)
    if unknown := sorted(set(fields) - {*_COLUMNS, "subject"}):
        raise _no(f"Unknown dump_fields: {', '.join(unknown)}")
    if body.get("delimiter", ",") not in (",", ";") or body.get("format", "csv") not in ("csv", "csv_gzip"):
        raise _no("Property 'delimiter' or 'format' is unknown")
    number = f"Dump{next(world.ids)}"
    found = [one for one in world.happened if start <= _instant(one["event_time"]) < end]
    world.dumps[number] = {
        "step": 0,
        "fields": fields,
        "delimiter": body.get("delimiter", ","),
        "rows": found[: int(body.get("limit") or 50)],
    }
    return {"dump_id": number}


def _time(body: Params, name: str, default: dt.datetime | None) -> dt.datetime:
    given = body.get(name)
    if not given and default is not None:
        return default
    try:
        return _instant(str(given))
    except ValueError:
        raise _no(f"Property '{name}' should be YYYY-MM-DD hh:mm:ss") from None


def _instant(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, _TIME).replace(tzinfo=dt.UTC)


def get(world: World, body: Params) -> Params:
    """How far it is; each question brings it a step on."""
    dump = _known(world, body)
    status = dump.get("fails") or _STEPS[min(dump["step"], len(_STEPS) - 1)]
    dump["step"] += 1
    return {
        "event_dump": {
            "dump_id": body["dump_id"],
            "dump_status": status,
            "files": _files(body["dump_id"], dump, status),
        }
    }


def _files(number: str, dump: Params, status: str) -> list[Params]:
    if status != "ready" or not dump["rows"]:
        return []
    pages = range(1, (len(dump["rows"]) - 1) // _LINES + 2)
    return [
        {"url": f"{request.url_root}event-dump/{number}-{page}.csv", "size": len(_csv(dump, page))} for page in pages
    ]


def delete(world: World, body: Params) -> Params:
    """Take one away."""
    _known(world, body)
    del world.dumps[body["dump_id"]]
    return {}


def listed(world: World, body: Params) -> Params:
    """All of them."""
    return {
        "event_dumps": [
            {"dump_id": one, "dump_status": _STEPS[min(dump["step"], 2)]} for one, dump in world.dumps.items()
        ]
    }


def _known(world: World, body: Params) -> dict[str, Any]:
    dump = world.dumps.get(str(body.get("dump_id")))
    if dump is None:
        raise _no("Dump was not found", 404)
    return dump


def file(world: World, name: str) -> str:
    """Return the content of a file, `<dump>-<page>`; "" if there is none."""
    number, _, page = name.partition("-")
    dump = world.dumps.get(number)
    return _csv(dump, int(page)) if dump is not None and page.isdecimal() else ""


def _csv(dump: Params, page: int) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, dump["fields"], delimiter=dump["delimiter"], restval="")
    writer.writeheader()
    for one in dump["rows"][(page - 1) * _LINES : page * _LINES]:
        info = one.get("delivery_info") or {}
        row = {**one, **info, "metadata": json.dumps(one["metadata"]) if one.get("metadata") else ""}
        writer.writerow({name: row.get(name, "") for name in dump["fields"]})
    return out.getvalue()


METHODS = {
    "event-dump/create": create, "event-dump/get": get, "event-dump/list": listed, "event-dump/delete": delete,
}  # fmt: skip
