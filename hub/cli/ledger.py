"""`hub ledger`: every request of a day as a row, and whether the day adds up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli import csvfile, output
from hub.cli.context import App, InputError, pass_app

if TYPE_CHECKING:
    from hub.ledger import Day, Request

_WORDS = {
    "new": "new", "joined": "joined", "turned_away": "turned away", "on_the_way": "on the way",
    "waits": "waits for a human", "dropped": "dropped",
}  # fmt: skip
_COLUMNS = ("id", "at", "connection", "type", "subject", "person", "who", "outcome", "why", "now", "stage",
            "touched_after_s", "amount", "currency", "url")  # fmt: skip


@click.command()
@click.option("--day", default="today", show_default=True, metavar="D", help="today, yesterday, or 2026-05-01.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Also write the rows into this file.")  # fmt: skip
@output.json_option
@pass_app
def ledger(app: App, day: str, table: Path | None, as_json: bool) -> None:
    """Show every request of a day: its outcome, where it is now, when a person first did something, the money.

    A request is a form, a lead, an order, a call that came in, a comment, or a message that opens a conversation.
    Each is new (a record was made), joined to one that was there, turned away by a rule, on the way, waits for a human,
    or was dropped by one. The sums by connection must equal what came in; where they don't: exit 1.
    """
    from hub import ledger
    from hub.explain import iso
    from hub.store import roster

    config = app.config
    with app.open_store().read() as db:
        back = {"today": 0, "yesterday": 1}.get(day)
        date = ledger.today(db, config, back) if back is not None else day
        try:
            ledger.bounds(date, config)
        except ValueError:
            raise InputError(f'"{day}" is no day; write today, yesterday or 2026-05-01') from None
        found = ledger.ledger(db, config, date)
        names = roster.names(db, [one.person for one in found.rows if one.person is not None])
    rows = [_row(one, names) for one in found.rows]
    wrong = found.unaccounted()
    if table is not None:
        csvfile.write(table, _COLUMNS, [{**row, "at": iso(row["at"])} for row in rows])
    if as_json:
        output.print_json({
            "day": date, "timezone": config.hub.timezone, "balanced": not wrong,
            "unaccounted": {name: {"received": a, "accounted": b} for name, (a, b) in wrong.items()},
            "totals": found.totals(), "requests": [{**row, "at": iso(row["at"])} for row in rows],
        })  # fmt: skip
    else:
        _tell(app, found, rows)
    if wrong:
        for name, (received, accounted) in sorted(wrong.items()):
            output.echo(f"{name}: {received} came in, {accounted} are accounted for", err=True)
        raise click.exceptions.Exit(1)


def _row(one: Request, names: Mapping[int, str]) -> dict[str, Any]:
    from hub.reasons import say_stored

    amount, currency = one.money or (None, None)
    return {
        "id": one.id, "at": one.at, "connection": one.connection, "type": one.type, "subject": one.subject,
        "person": one.person, "who": names.get(one.person or 0) or None,
        "outcome": one.outcome, "why": say_stored(one.why),
        "now": f"{one.now[0]}/{one.now[1]}:{one.now[2]}" if one.now else None, "stage": one.stage or None,
        "touched_after_s": round(one.touched_after) if one.touched_after is not None else None,
        "amount": str(amount) if amount is not None else None, "currency": currency or None, "url": one.url or None,
    }  # fmt: skip


def _tell(app: App, found: Day, rows: list[dict[str, Any]]) -> None:
    shown = [
        {**row, "at": output.local(row["at"], app.zone)[11:], "outcome": _WORDS[row["outcome"]],
         "touched": _span(row["touched_after_s"]), "money": f"{row['amount']} {row['currency'] or ''}".strip()
         if row["amount"] else "", "what": row["type"]}
        for row in rows
    ]  # fmt: skip
    columns = ("id", "at", "connection", "what", "who", "outcome", "now", "stage", "touched", "money", "why")
    output.table(columns, shown, f"no requests on {found.day}" if not found.kept else "the rows are forgotten already")
    totals = found.totals()
    if not totals:
        return
    output.echo()
    sums = [
        {"connection": name, "came in": total["received"], "same": total["continued"],
         **{_WORDS[one]: total[one] for one in _WORDS}, "untouched": total.get("untouched", ""),
         "first touch": _span(total.get("median_touch")),
         "money": ", ".join(f"{amount} {currency}".strip() for currency, amount in (total.get("money") or {}).items())}
        for name, total in totals.items()
    ]  # fmt: skip
    output.table(("connection", "came in", "same", *_WORDS.values(), "untouched", "first touch", "money"), sums, "")


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
