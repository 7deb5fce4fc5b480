"""`hub sync list|show|plan|start|pause|resume`: two systems kept alike, begun with a look and never by surprise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli import csvfile, output, running
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.output import bold, coloured, count, dim
from hub.reasons import say_stored

if TYPE_CHECKING:
    from hub.comparing import Report
    from hub.config import Sync
    from hub.runtime import Runtime
    from hub.store import Db
    from hub.store.twins import State, Twin

COLUMNS = ("record", "plan", "one", "other", "title", "why")
STATES = {
    "new": "not begun: hub sync plan {name}, then hub sync start {name}",
    "reading": "reading both sides was cut short: hub sync start {name} begins it anew",
    "first": "its first sync is under way",
    "on": "carries changes",
    "paused": "paused: what changes waits in its backlog until hub sync resume {name}",
    "done": "done; it was to run once",
}


@click.group(short_help="Two systems kept alike: plan, start, watch, pause.")
def sync() -> None:
    """Two systems kept alike (`sync:` in hub.yaml): plan, start, watch, pause."""


def known(app: App, name: str) -> Sync:
    """Return a sync of hub.yaml; raises InputError with the nearest guess."""
    from hub.config.problems import guess, listed

    found = app.config.sync(name)
    if found is None:
        names = [one.name for one in app.config.syncs]
        raise InputError(f'there is no sync "{name}" in {app.path} ({listed(names) or "none"}).{guess(name, names)}')
    return found


@sync.command("list")
@output.json_option
@pass_app
def list_syncs(app: App, as_json: bool) -> None:
    """List the syncs of hub.yaml, and how each one stands."""
    from hub.store import twins

    rows = []
    with app.runtime().store.read() as db:
        states = twins.states(db)
        for one in app.config.syncs:
            state = states[one.name].state if one.name in states else "new"
            pairs = twins.counts(db, one.name)
            rows.append({
                "name": one.name, "from": one.one, "to": one.other, "what": ", ".join(one.records()), "state": state,
                "pairs": ", ".join(f"{number} {what}" for what, number in pairs.items()) or "none",
            })  # fmt: skip
    if as_json:
        output.print_json(rows)
        return
    output.table(("name", "from", "to", "what", "state", "pairs"), rows, "hub.yaml has no sync")


@sync.command("plan")
@click.argument("name")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write every row into a CSV file.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 100_000), default=40, show_default=True, metavar="N",
              help="Show so many rows of each record and plan.")  # fmt: skip
@output.json_option
@pass_app
def plan_sync(app: App, name: str, csv_file: Path | None, limit: int, as_json: bool) -> None:
    """Read both sides and tell what the first sync would do. Nothing is written anywhere.

    create: it would be made on the other side. update: twins that differ. same: twins that agree. merge: a double,
    left to a person. skip: left out, and why.
    """
    from hub.comparing import compare

    found = known(app, name)
    report = compare(app.runtime(), found, _telling(as_json))
    if csv_file is not None:
        csvfile.write(csv_file, COLUMNS, _rows(report))
    if as_json:
        findings = [{"level": f.level, "text": f.text, "remedy": f.remedy} for f in report.findings]
        output.print_json({"sync": name, "counts": report.counts(), "findings": findings, "rows": _rows(report)})
        return
    _tell_report(found, report, limit)
    if csv_file is not None:
        output.echo(f"all {count(len(report.rows), 'row')} are in {csv_file}")
    output.echo(dim(f"nothing was written; begin with: hub sync start {name}"))


def _telling(as_json: bool) -> Any:
    return (lambda text: None) if as_json else (lambda text: output.echo(dim(text), err=True))


def _rows(report: Report) -> list[dict[str, Any]]:
    from hub.reasons import say_stored

    return [
        {"record": row.record, "plan": row.plan, "one": row.one, "other": row.other, "title": row.title,
         "why": say_stored(row.reason)}
        for row in report.rows
    ]  # fmt: skip


def _tell_report(sync: Sync, report: Report, limit: int) -> None:
    shown: dict[tuple[str, str], int] = {}
    rows = []
    for row in _rows(report):
        place = row["record"], row["plan"]
        shown[place] = shown.get(place, 0) + 1
        if shown[place] <= limit and row["plan"] != "same":
            rows.append({**row, sync.one: row["one"], sync.other: row["other"]})
    if rows:
        output.table(("record", "plan", sync.one, sync.other, "title", "why"), rows, "")
    _tell_counts(report)
    for finding in report.findings:
        output.echo(f"{coloured(finding.level)} {finding.text}. {finding.remedy}")


def _tell_counts(report: Report) -> None:
    for record, plans in report.counts().items():
        output.echo(f"{bold(record)}: " + ", ".join(f"{number} {plan}" for plan, number in plans.items()))


@sync.command("start")
@click.argument("name")
@click.option("--again", is_flag=True, help="Compare both sides once more, although it is under way already.")
@pass_app
def start_sync(app: App, name: str, again: bool) -> None:
    """Begin a sync: read both sides, write down what is to be carried; the workers carry it at the pace of `cap`.

    Cut short, the sync stands as before and is begun anew by the same command; what has been carried is known and
    isn't carried twice. What changes while both sides are read waits in the backlog.
    """
    from hub.comparing import begin, compare
    from hub.store import twins

    found, runtime = known(app, name), app.runtime()
    with runtime.store.read() as db:
        state = twins.states(db).get(name)
    if state is not None and state.state not in ("new", "reading") and not again:
        words = STATES[state.state].format(name=name)
        raise WorldError(f"sync {name} was begun already ({words}). To compare both sides once more: --again")
    with runtime.store.write() as db:
        twins.set_state(db, name, "reading", started_at=db.now)
    try:
        report = compare(runtime, found, _telling(False))
        problems = [one for one in report.findings if one.level == "problem"]
        if problems:
            raise WorldError("\n".join(f"{one.text}. {one.remedy}" for one in problems))
        waiting = begin(runtime, found, report)
    except BaseException:  # Ctrl-C too: what wasn't begun isn't under way
        _put_back(runtime, name, state)
        raise
    _tell_counts(report)
    hours = waiting / found.cap
    took = f"{hours * 60:.0f} minutes" if hours < 2 else f"{hours:.0f} hours"
    output.echo(
        f"sync {name} is under way: {count(waiting, 'record')} to carry, {found.cap} an hour, about {took}. "
        f"From now on changes are carried too. Watch: hub sync show {name}"
    )
    running.hint(app)  # a hub that runs by the file of before knows nothing of this sync


def _put_back(runtime: Runtime, name: str, before: State | None) -> None:
    """Let a sync stand as it did before a start that came to nothing; what a killed one left as `reading` is new."""
    from hub.store import twins

    with runtime.store.write() as db:
        now = twins.states(db).get(name)
        if now is None or now.state != "reading":
            return
        if before is None or before.state == "reading":
            twins.set_state(db, name, "new")
        else:
            twins.set_state(db, name, before.state, started_at=before.started_at)


@sync.command("show")
@click.argument("name")
@output.json_option
@pass_app
def show_sync(app: App, name: str, as_json: bool) -> None:
    """Tell how a sync stands: what it does, how far its backlog is, its pairs, those that were stopped."""
    from hub.config.syncs import sentences
    from hub.explain import iso
    from hub.store import twins

    found = known(app, name)
    with app.runtime().store.read() as db:
        state = twins.states(db).get(name) or twins.State(name)
        progress, pairs = twins.progress(db, name), twins.counts(db, name)
        stopped = [_stopped(found, twin) for twin in twins.stopped(db, name)]
        ways = [found.route_name(record, way) for record in found.records() for way in ("forward", "back")]
        parked = [
            {"delivery": f"d{id}", "record": f"{connection}/{subject}", "text": say_stored(reason)}
            for id, connection, subject, reason in twins.parked(db, ways)
        ]
    words = sentences(found, app.config.names())
    told: dict[str, Any] = {
        "name": name, "state": state.state, "started_at": iso(state.started_at), "finished_at": iso(state.finished_at),
        "paused_at": iso(state.paused_at), "backlog": progress, "pairs": pairs, "stopped": stopped,
        "parked": parked, "sentences": words,
    }  # fmt: skip
    if as_json:
        output.print_json(told)
        return
    output.echo(f"{bold(name)} {coloured(state.state)}: {STATES[state.state].format(name=name)}")
    for line in words:
        output.echo(f"   {line}")
    if progress:
        left = sum(row["count"] for row in progress if row["state"] in ("waiting", "ready"))
        every = sum(row["count"] for row in progress)
        output.echo(f"backlog: {every - left} of {every} done, {left} to go")
        output.table(("record", "plan", "state", "count"), progress, "")
    output.echo("pairs: " + (", ".join(f"{number} {what}" for what, number in pairs.items()) or "none"))
    for one in stopped:
        output.echo(f"{coloured('problem', 'stopped')} {one['text']}")
    for one in parked:
        output.echo(f"{coloured('problem', 'parked')} {one['record']}: {one['text']}")
        output.echo(f"   hub explain {one['delivery']}, then hub retry {one['delivery']}")


def _stopped(sync: Sync, twin: Twin) -> dict[str, Any]:
    from hub.reasons import say_stored

    one, other = f"{sync.one}/{twin.record}:{twin.one}", f"{sync.other}/{twin.record}:{twin.other}"
    return {"one": one, "other": other, "text": say_stored(twin.reason) or f"{one} and {other}"}


@sync.command("pause")
@click.argument("name")
@pass_app
def pause_sync(app: App, name: str) -> None:
    """Carry nothing for the time being: what changes waits in the sync's backlog."""
    from hub.store import twins

    known(app, name)
    with app.runtime().store.write() as db:
        state = twins.states(db).get(name)
        if state is None or not state.carries:
            raise WorldError(
                f"sync {name} carries nothing now: {STATES[state.state if state else 'new'].format(name=name)}"
            )
        twins.set_state(db, name, "paused", paused_at=db.now)
    output.echo(f"sync {name} is paused; what changes waits until: hub sync resume {name}")


@sync.command("resume")
@click.argument("name")
@click.argument("record", required=False, metavar="[CONNECTION/RECORD:ID]")
@pass_app
def resume_sync(app: App, name: str, record: str | None) -> None:
    """Let a paused sync go on, or one pair that was stopped as a circle (crm/deal:55)."""
    from hub.store import twins

    found = known(app, name)
    with app.runtime().store.write() as db:
        if record is not None:
            _resume_pair(db, found, record)
            output.echo(f"{record} and its twin are carried again; what has changed meanwhile goes first")
            return
        state = twins.states(db).get(name)
        if state is None or state.state != "paused":
            raise WorldError(f"sync {name} isn't paused: {STATES[state.state if state else 'new'].format(name=name)}")
        over = state.finished_at is not None
        twins.set_state(db, name, "on" if over else "first", paused_at=None, fed_at=db.now)
    output.echo(f"sync {name} goes on")


def _resume_pair(db: Db, sync: Sync, asked: str) -> None:
    from hub.store import state, twins

    connection, slash, subject = asked.partition("/")
    kind, colon, ref = subject.partition(":")
    if not slash or not colon or connection not in (sync.one, sync.other):
        raise InputError(f'"{asked}" should read {sync.one}/deal:55 or {sync.other}/deal:55')
    twin = twins.find(db, sync.name, kind, "one" if connection == sync.one else "other", ref)
    if twin is None or twin.state != "stopped":
        raise WorldError(f"{asked} isn't stopped in sync {sync.name} (hub sync show {sync.name} lists those that are)")
    twins.release(db, twin.id)
    ends = [(way, place, id) for way, place, id in (("forward", sync.one, twin.one), ("back", sync.other, twin.other))]
    rows = [(kind, place, id, "update", None, None) for way, place, id in ends if sync.carried(kind, way)]
    twins.add_backlog(db, sync.name, rows)
    for _, _, id in ends:
        state.close_alerts(db, f"sync:{kind}:{id}")
