"""`hub reconcile`: what the vendors hold against what the hub knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli import csvfile, output
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.output import bold, coloured, count
from hub.cli.params import Since

if TYPE_CHECKING:
    from hub.runtime import Runtime
    from hub.store import Store
    from hub.store.reconciling import Run

#: tries of one step that the vendor answers with trouble
_TRIES = 5
CSV_COLUMNS = ("connection", "record", "id", "cause", "state", "twin", "what", "repair")
_COLUMNS = ("record", "cause", "state", "twin", "what", "repair")


@click.command()
@click.argument("connections", nargs=-1, required=True, metavar="A [B]")
@click.option("--since", type=Since(), help="Only what was changed since then: 1d, 2026-03-01. Finds no deletions.")
@click.option("--record", "records", multiple=True, metavar="KIND", help="Only these records: deal, contact.")
@click.option("--repair", is_flag=True, help="Repair what policy allows; without it nothing is written anywhere.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), metavar="FILE",
              help="Write what was found into a CSV file (- for standard output).")  # fmt: skip
@output.json_option
@pass_app
def reconcile(
    app: App, connections: tuple[str, ...], since: float | None, records: tuple[str, ...], repair: bool,
    csv_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare accounts with what the hub knows: A alone for missed messages, A and B for what a sync keeps alike.

    The vendors' lists are read page by page, within their limits. Each difference comes with its likely cause; with
    --repair a missed message is acted upon as if it had come, and a twin is brought back to what was agreed. The
    repairs are ordinary events and deliveries: a running hub carries them out. Exit status 1: differences remain.
    """
    from hub import reconciling
    from hub.store import reconciling as rows

    if len(connections) > 2 or len(set(connections)) < len(connections):
        raise InputError("one connection, or two different ones: hub reconcile A [B]")
    one, other = app.connection(connections[0]), app.connection(connections[1]) if len(connections) > 1 else None
    plan = reconciling.plan(app.config, one, other, records)
    if not plan:
        raise InputError(
            f"there is nothing to compare at {' and '.join(connections)}: no route or sync has to do with records that "
            "their plugins can list"
        )
    runtime = app.runtime()
    with runtime.store.write() as db:
        id = rows.begin(db, one, other, since, repair, plan)
    tell = (lambda text: None) if as_json else (lambda text: output.echo(output.dim(text), err=True))
    run = _carry_out(runtime, id, tell)
    items = list(_items(runtime.store, id))
    remaining = sum(item["state"] == "open" for item in items)
    if csv_file is not None:
        csvfile.write(csv_file, CSV_COLUMNS, items)
    if as_json:
        output.print_json({**_told(run), "differences": items, "remaining": remaining})
    elif csv_file is None or str(csv_file) != "-":
        _show(run, items, remaining)
    if remaining or run.state == "failed":
        raise click.exceptions.Exit(1)


def _carry_out(runtime: Runtime, id: int, tell: Any) -> Run:
    """Take the steps of a comparison in this process; workers of a running hub may take some of them meanwhile."""
    from hub import reconciling
    from hub.errors import AuthFailed, HubError, RateLimited, Retry
    from hub.pipeline import Pipeline
    from hub.reasons import stored
    from hub.store import reconciling as rows
    from hub.store import work

    pipeline, failures, told = Pipeline(runtime), 0, 0
    lease = f"reconcile:{id}"
    while True:
        with runtime.store.write() as db:
            run = rows.run(db, id)
            assert run is not None
            target = run.target()
            mine = run.state == "running" and target is not None and work.claim_one(db, f"rec:{id}", lease)
            item = reconciling.Compare(db, f"rec:{id}", "", target[0], lease) if mine and target is not None else None
        if run.state != "running":
            return run
        if run.counts.get("records", 0) >= told + 1000:
            told = run.counts["records"]
            tell(f"{told} records compared")
        if item is None:
            time.sleep(0.05)
            continue
        _in_turn(runtime, item.connection)
        try:
            page = reconciling.look(pipeline, item.run, item.guard)
        except (Retry, AuthFailed, HubError) as error:
            failures += 1
            wait = min(error.after or 2.0**failures, 60.0) if isinstance(error, Retry) else 0.0
            if not isinstance(error, Retry) or (failures > _TRIES and not isinstance(error, RateLimited)):
                with runtime.store.write() as db:
                    rows.finish(db, id, "failed", stored("reconcile_failed", why=str(error)[:300]))
                raise WorldError(f"{item.connection}: {error}") from None
            with runtime.store.write() as db:
                work.release(db, item.key, lease, db.now + wait)
            time.sleep(wait)
            continue
        failures = 0
        with runtime.store.write() as db:
            reconciling.write(db, pipeline, item, page)


def _in_turn(runtime: Runtime, connection: str) -> None:
    """Wait until the connection's limit has room for one more call, and no pause of its account is left."""
    limits = runtime.limits(connection)
    bucket = limits.key or connection
    while runtime.limiter.paused(bucket) or not runtime.limiter.reserve(bucket, 1, limits.per_second, limits.burst):
        time.sleep(max(0.02, 0.5 / limits.per_second))


def _items(store: Store, id: int) -> Iterator[dict[str, Any]]:
    from hub.reasons import say_stored
    from hub.store import reconciling as rows

    after = 0
    while True:
        with store.read() as db:
            page = rows.differences(db, id, after)
        if not page:
            return
        after = page[-1][0]
        for _, one in page:
            record, _, ref = one.subject.partition(":")
            yield {
                "connection": one.connection, "record": record, "id": ref, "cause": one.cause, "state": one.state,
                "twin": one.twin, "what": say_stored(one.reason), "reason": one.reason,
                "repair": say_stored(one.repair), "repair_reason": one.repair,
            }  # fmt: skip


def _told(run: Run) -> dict[str, Any]:
    from hub.explain import iso

    return {
        "run": run.id, "one": run.one, "other": run.other, "since": iso(run.since), "repair": run.repair,
        "state": run.state, "counts": run.counts, "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
    }  # fmt: skip


def _show(run: Run, items: list[dict[str, Any]], remaining: int) -> None:
    shown = [{**item, "record": f"{item['connection']}/{item['record']}:{item['id']}"} for item in items]
    output.table(_COLUMNS, shown, "no differences")
    counts = run.counts
    words = f"{count(counts.get('records', 0), 'record')} compared in {count(counts.get('pages', 0), 'page')}"
    words += f", {counts['waiting']} left to messages under way" if counts.get("waiting") else ""
    words += f", {counts['unlisted']} kinds can't be listed" if counts.get("unlisted") else ""
    state = coloured("open", str(remaining)) if remaining else bold("0")
    output.echo(f"{words}. {count(len(items), 'difference')}, {state} open.")
    if remaining and not run.repair:
        output.echo(f"To repair: hub reconcile {run.one}{f' {run.other}' if run.other else ''} --repair")
