"""`hub receipts|events|deliveries|timers|rejected list`: what there is, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from hub.cli import output
from hub.cli.context import App, pass_app
from hub.cli.params import Id, Since
from hub.cli.running import hint
from hub.store.reading import DELIVERY_STATES, EVENT_STATES, RECEIPT_STATES, Page


def paged(states: Sequence[str] | None, kind: str) -> Callable[[Any], Any]:
    """Add the options every list has."""
    options: list[Callable[[Any], Any]] = [
        click.option("--connection", default="", metavar="C", help="Only of this connection."),
        click.option("--since", type=Since(), help="Only from then on: 2h, 3d, 2026-05-01, '2026-05-01 14:30'."),
        click.option("--before", type=Id(kind), help="The next page: what is older than this id."),
        click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N",
                     help="At most so many."),
        output.json_option,
    ]  # fmt: skip
    if states is not None:
        choice: Any = click.Choice(list(states)) if states else str
        options.insert(0, click.option("--state", type=choice, default=None, help="Only in this state."))

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def page_of(options: dict[str, Any]) -> Page:
    """Return the page that the options ask for."""
    before = options["before"][1] if options["before"] else None
    return Page(options["limit"], before, options.get("state") or "", options["connection"], options["since"])


def show(
    app: App, options: dict[str, Any], items: list[dict[str, Any]], columns: Sequence[str], rows: list[dict[str, Any]],
    empty: str,
) -> None:  # fmt: skip
    """Print a page as JSON or as a table, and how to see the next."""
    if options["as_json"]:
        output.print_json(items)
        return
    output.table(columns, rows, empty)
    if len(items) == options["limit"] and items and "before" in options:
        output.echo(output.dim(f"older ones: --before {items[-1]['id']}"), err=True)


# --- receipts ------------------------------------------------------------------------------------


@click.group(short_help="Requests as they came.")
def receipts() -> None:
    """Requests as they came."""


@receipts.command("list")
@paged(RECEIPT_STATES, "r")
@pass_app
def list_receipts(app: App, **options: Any) -> None:
    """List receipts: requests that were verified and stored before they were acknowledged.

    `new` waits to be read, `unreadable` was genuine but not understood (hub replay reads it again).
    """
    from hub.explain import iso, shown_path, told
    from hub.store import reading

    with app.open_store().read() as db:
        found = reading.receipts(db, page_of(options))
    items = [
        {
            "id": f"r{row['id']}", "connection": row["connection"], "at": iso(row["at"]), "state": row["state"],
            "method": row["method"], "path": shown_path(row["path"]), "remote": row["remote"], "bytes": row["bytes"],
            "key": row["key"], "reason": told(row["reason"]),
        }
        for row in found
    ]  # fmt: skip
    rows = [{**item, "at": output.local(item["at"], app.zone), "why": (item["reason"] or {}).get("text", "")}
            for item in items]  # fmt: skip
    show(app, options, items, ("id", "at", "connection", "state", "bytes", "key", "why"), rows, "no receipts")


# --- events --------------------------------------------------------------------------------------


@click.group(short_help="Things that happened.")
def events() -> None:
    """Things that happened."""


@events.command("list")
@paged(EVENT_STATES, "e")
@pass_app
def list_events(app: App, **options: Any) -> None:
    """List events. `waiting` ones are hints whose record is still to be read at the vendor."""
    from hub.explain import iso, told
    from hub.store import reading

    with app.open_store().read() as db:
        found = reading.events(db, page_of(options))
        planned = reading.count_deliveries(db, [row["id"] for row in found])
    items = [
        {
            "id": f"e{row['id']}", "type": f"{row['connection']}.{row['type']}", "subject": row["subject"],
            "at": iso(row["at"]), "occurred_at": iso(row["occurred_at"]), "state": row["state"],
            "receipt": f"r{row['receipt']}" if row["receipt"] else None, "person": row["person"],
            "deliveries": planned.get(row["id"], 0), "reason": told(row["reason"]),
        }
        for row in found
    ]  # fmt: skip
    rows = [{**item, "at": output.local(item["at"], app.zone), "why": (item["reason"] or {}).get("text", "")}
            for item in items]  # fmt: skip
    columns = ("id", "at", "type", "subject", "state", "deliveries", "receipt", "why")
    show(app, options, items, columns, rows, "no events")


# --- deliveries ----------------------------------------------------------------------------------


@click.group(short_help="Planned outward calls and what became of them.")
def deliveries() -> None:
    """Planned outward calls and what became of them."""


@deliveries.command("list")
@paged(DELIVERY_STATES, "d")
@pass_app
def list_deliveries(app: App, **options: Any) -> None:
    """List deliveries: each is one step of a route for one event.

    `ready` ones say what they wait for, `parked` ones wait for a person (hub retry, hub drop).
    """
    from hub.explain import delivery_line
    from hub.store import reading, state

    with app.open_store().read() as db:
        healths = state.healths(db)
        items = [delivery_line(db, row, healths) for row in reading.deliveries(db, page_of(options))]
    columns = ("id", "at", "do", "subject", "state", "tries", "wait", "event", "route", "why")
    show(app, options, items, columns, [_delivery_row(app, item) for item in items], "no deliveries")


def _delivery_row(app: App, item: dict[str, Any]) -> dict[str, Any]:
    wait = item["wait"] or {}
    until = f" until {output.local(wait['until'], app.zone)}" if wait.get("until") else ""
    why = (item["reason"] or {}).get("text") or wait.get("text", "")
    return {**item, "at": output.local(item["created_at"], app.zone), "wait": wait.get("kind", "") + until, "why": why}


# --- timers --------------------------------------------------------------------------------------


@click.group(short_help="What is due later.")
def timers() -> None:
    """What is due later."""


@timers.command("list")
@click.option("--connection", default="", metavar="C", help="Only of this connection.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N",
              help="At most so many.")  # fmt: skip
@output.json_option
@pass_app
def list_timers(app: App, connection: str, limit: int, as_json: bool) -> None:
    """List what is due later, the next first: polls, watched records, deliveries that wait, connections held back."""
    from hub.explain import iso

    items = [{**one, "due": iso(one["due"])} for one in _due(app, connection, limit)]
    rows = [{**item, "due": output.local(item["due"], app.zone)} for item in items]
    options = {"as_json": as_json, "limit": limit}
    show(app, options, items, ("due", "kind", "connection", "what", "why"), rows, "nothing is due later")


def _due(app: App, connection: str, limit: int) -> list[dict[str, Any]]:
    from hub.reasons import say, say_stored
    from hub.store import reading, state

    with app.open_store().read() as db:
        found = [
            {"kind": "poll", "connection": one["connection"], "what": one["what"], "due": one["due"],
             "why": f"failed {one['fails']} times: {one['why']}" if one["fails"] else ""}
            for one in reading.polls(db, connection)
        ]  # fmt: skip
        found += [
            {"kind": "watch", "connection": one["connection"], "what": f"{one['kind']}:{one['ref']}", "due": one["due"],
             "why": ""}
            for one in reading.watches(db, connection, limit)
        ]  # fmt: skip
        found += [
            {"kind": row["wait"], "connection": row["connection"], "what": f"d{row['id']} {row['action']}",
             "due": row["due"], "why": say_stored(row["reason"])}
            for row in reading.waiting_deliveries(db, connection, limit)
        ]  # fmt: skip
        for name, health in sorted(state.healths(db).items()):
            shut = health.shut(db.now)
            if shut is None or connection not in ("", name):
                continue
            due = {"paused": None, "held": health.probe_at, "breaker": health.open_until}[shut]
            why = say_stored(health.held) if shut == "held" else say(shut)
            found.append({"kind": shut, "connection": name, "what": "all its calls", "due": due, "why": why})
    return sorted(found, key=lambda one: (one["due"] is not None, one["due"] or 0.0))[:limit]


# --- rejected ------------------------------------------------------------------------------------


@click.group(short_help="Requests that were turned away.")
def rejected() -> None:
    """Requests that were turned away."""


@rejected.command("list")
@click.option("--state", metavar="STATUS", default="", help="Only with this HTTP status: 401, 404, ...")
@paged(None, "x")
@pass_app
def list_rejected(app: App, **options: Any) -> None:
    """List the last 200 rejected requests of each connection, masked; `?` stands for unknown addresses."""
    from hub.explain import iso
    from hub.store import reading

    if options["state"] and not options["state"].isdecimal():
        raise click.BadParameter("an HTTP status is a number", param_hint="--state")
    with app.open_store().read() as db:
        found = reading.rejected(db, page_of(options))
    items = [
        {
            "id": f"x{row['id']}", "connection": row["connection"], "at": iso(row["at"]), "status": row["status"],
            "reason": row["words"], "request": row["request"],
        }
        for row in found
    ]  # fmt: skip
    rows = [
        {**item, "at": output.local(item["at"], app.zone), "from": item["request"].get("remote"),
         "request": f"{item['request'].get('method')} {item['request'].get('path')}"}
        for item in items
    ]  # fmt: skip
    columns = ("id", "at", "connection", "status", "request", "from", "reason")
    show(app, options, items, columns, rows, "nothing was turned away")
    if items:
        hint(app)
