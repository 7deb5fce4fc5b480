"""`hub undo`, `hub batches`: what one command or one run wrote, and taking it back."""

from __future__ import annotations

import sys
from typing import Any

import click

from hub.cli import output
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.params import Id
from hub.store import Db


@click.command()
@click.argument("ids", nargs=-1, type=Id("d"))
@click.option("--batch", default="", metavar="BATCH", help="All deliveries of a batch (hub batches list).")
@click.option("--dry-run", is_flag=True, help="Read the records and tell what would be written; change nothing.")
@click.option("--delete", is_flag=True, help="Also delete the records that were made, where the vendor can.")
@output.json_option
@pass_app
def undo(
    app: App, ids: tuple[tuple[str, int], ...], batch: str, dry_run: bool, delete: bool, as_json: bool
) -> None:  # fmt: skip
    """Write back what stood in records before deliveries (d7 d8), or a whole batch, wrote them.

    Each record is read afresh. Only fields that still hold what the hub wrote are written back; those that others
    changed meanwhile are listed, with who. Records the hub made are listed, and deleted only with --delete, and only if
    nobody changed them. Writing back goes by ordinary deliveries, and is a batch itself that can be undone.
    """
    from hub import undoing
    from hub.store import batches, reading

    if bool(ids) == bool(batch):
        raise click.UsageError("name deliveries (d7 d8), or say --batch BATCH")
    runtime = app.runtime()
    with runtime.store.read() as db:
        if batch:
            rows = batches.deliveries(db, batch)
            if not rows:
                raise InputError(f'there is no batch "{batch}"; hub batches list shows those there are')
        else:
            found = {id: reading.delivery(db, id) for _, id in ids}
            if unknown := [f"d{id}" for id, row in found.items() if row is None]:
                raise WorldError(f"there is no delivery {', '.join(unknown)}")
            rows = [row for row in found.values() if row is not None]
        taken = batches.undoing(db)
    todo = undoing.plan(runtime, rows, taken, delete)
    looked = [*todo.restores, *(one for one in todo.created if one.delete)]
    for number, one in enumerate(looked, 1):
        undoing.look(runtime, one)
        _progress("read", number, len(looked))
    made = (
        ""
        if dry_run
        else undoing.store_all(runtime.store, runtime, todo, lambda n: _progress("planned", n, len(looked)))
    )
    with runtime.store.read() as db:
        told = _told(db, todo, made, dry_run)
    if as_json:
        output.print_json(told)
    else:
        _show(told)


def _progress(what: str, n: int, all: int) -> None:
    if sys.stderr.isatty() and all > 20 and (n % 20 == 0 or n == all):
        output.echo(f"\r{what} {n} of {all} ", nl=n == all, err=True)


def _told(db: Db, todo: Any, batch: str, dry_run: bool) -> dict[str, Any]:
    """Return what is done and what is left, ready for JSON."""
    from hub import undoing

    records = []
    for one in todo.restores:
        back = one.found.back if one.found else {}
        changed = one.found.changed if one.found else {}
        records.append({
            "record": f"{one.connection}/{one.subject}", "of": [f"d{id}" for id in one.of],
            "back": {name: {"from": one.fields[name]["wrote"], "to": value} for name, value in back.items()},
            "left": {name: {"wrote": one.fields[name]["wrote"], "now": value, "changed": undoing.who(db, one, name)}
                     for name, value in changed.items()},
            "as_before_already": one.found.done if one.found else [], "trouble": one.trouble,
        })  # fmt: skip
    created = [
        {"record": f"{one.connection}/{one.subject}", "of": [f"d{id}" for id in one.of],
         "deleted": one.delete and not (one.found and one.found.touched) and not one.final,
         "why": _not_deleted(db, one)}
        for one in todo.created
    ]  # fmt: skip
    left = [{"delivery": f"d{id}", "why": why} for id, why in todo.left]
    return {"dry_run": dry_run, "batch": batch or None, "records": records, "created": created, "left": left}


def _not_deleted(db: Db, one: Any) -> str:
    from hub import undoing

    if not one.delete:
        return "created, not deleted" + (f": {one.trouble}" if one.trouble else "")
    if one.trouble:
        return str(one.trouble)
    changed = one.found.changed if one.found else {}
    if one.found and one.found.later and not changed:
        return f"it was changed at {one.connection} at {one.found.later}, after the hub was done with it: not deleted"
    return "; ".join(f"{name} was changed {undoing.who(db, one, name)}: not deleted" for name in changed)


def _show(told: dict[str, Any]) -> None:
    would = "would be " if told["dry_run"] else ""
    for one in output.harmless(told["records"]):
        output.echo(f"{output.bold(one['record'])} {output.dim(', '.join(one['of']))}")
        for name, value in one["back"].items():
            now, then = output.short(value["from"], 60), output.short(value["to"], 60) or "(empty)"
            output.echo(f"   {name}: {would}{then} again, not {now}")
        for name, value in one["left"].items():
            output.echo(f"   {name}: left at {output.short(value['now'], 60)}, changed {value['changed']}")
        for name in one["as_before_already"]:
            output.echo(f"   {name}: is as it was before already")
        if one["trouble"]:
            output.echo(f"   {one['trouble']}")
    for one in output.harmless(told["created"]):
        said = f"{would}deleted" if one["deleted"] else one["why"]
        output.echo(f"{output.bold(one['record'])} {output.dim(', '.join(one['of']))}\n   {said}")
    for one in told["left"]:
        output.echo(f"{one['delivery']}: left as it is: {one['why']}")
    if told["batch"]:
        output.echo(f"it is written back as batch {told['batch']}: hub batches show {told['batch']}")
    elif not told["dry_run"]:
        output.echo("nothing is written back")


@click.group(short_help="What one command or one run wrote.")
def batches() -> None:
    """What one command or one run wrote: replays, retries of many, undoings; each can be taken back (hub undo)."""


@batches.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N",
              help="At most so many, the newest.")  # fmt: skip
@output.json_option
@pass_app
def list_batches(app: App, limit: int, as_json: bool) -> None:
    """List batches, newest first, with how many deliveries each has and what became of them."""
    from hub.explain import iso
    from hub.store import batches as stored

    with app.open_store().read() as db:
        found = stored.batches(db, limit)
    items = [{**one, "began_at": iso(one["began_at"]), "finished_at": iso(one["finished_at"])} for one in found]
    if as_json:
        output.print_json(items)
        return
    rows = [
        {"batch": one["batch"], "at": output.local(one["began_at"], app.zone), "deliveries": one["deliveries"],
         "what": ", ".join(f"{n} {name}" for name, n in one["states"].items()), "where": ", ".join(one["connections"])}
        for one in items
    ]  # fmt: skip
    output.table(("batch", "at", "deliveries", "what", "where"), rows, "no batches")


@batches.command("show")
@click.argument("batch")
@output.json_option
@pass_app
def show_batch(app: App, batch: str, as_json: bool) -> None:
    """Show what a batch did: each delivery, its state, and what it wrote."""
    from hub.explain import delivery_line
    from hub.store import batches as stored
    from hub.store import state

    with app.open_store().read() as db:
        rows, healths = stored.deliveries(db, batch), state.healths(db)
        items = [{**delivery_line(db, row, healths), "written": row["written"], "given": row["given"]} for row in rows]
    if not items:
        raise InputError(f'there is no batch "{batch}"; hub batches list shows those there are')
    if as_json:
        output.print_json(items)
        return
    shown = [
        {"id": one["id"], "do": one["do"], "subject": one["subject"], "state": one["state"],
         "what": ", ".join((one["written"] or {}).get("written") or ()) or ("made it" if one["written"] else ""),
         "why": (one["reason"] or {}).get("text") or (one["wait"] or {}).get("text", "")}
        for one in items
    ]  # fmt: skip
    output.table(("id", "do", "subject", "state", "what", "why"), shown, "")
