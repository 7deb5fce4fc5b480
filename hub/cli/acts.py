"""`hub replay|retry|drop|pause|resume`: what people do with their own hands. Running workers see it within a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import click

from hub.cli import output
from hub.cli.context import App, WorldError, pass_app
from hub.cli.params import Id, Since
from hub.cli.running import hint
from hub.store import Db, Store

Act = Callable[[Db], str]


#: so many acts are told one by one; of more only their number
_TOLD = 20


def carry_out(store: Store, acts: Iterable[Act]) -> None:
    """Do one act after the other, each in its own transaction; what is refused stops none of the others."""
    from hub.handwork import Pointless

    refused, acts = [], list(acts)
    for number, act in enumerate(acts, 1):
        try:
            with store.write() as db:
                done = act(db)
            if number <= _TOLD:
                output.echo(done)
            elif number == len(acts):
                output.echo(f"and {number - _TOLD} more")
        except Pointless as why:
            refused.append(str(why))
    if refused:
        raise WorldError("\n".join(refused))


@click.command()
@click.argument("ids", nargs=-1, type=Id("re"))
@click.option("--since", type=Since(), help="All receipts from then on: 2h, 3d, 2026-05-01, '2026-05-01 14:30'.")
@click.option("--connection", default="", metavar="C", help="With --since: only of this connection.")
@click.option("--again", is_flag=True, help="Act upon it anew, as if it came now: what was sent is sent once more.")
@pass_app
def replay(app: App, ids: tuple[tuple[str, int], ...], since: float | None, connection: str, again: bool) -> None:
    """Read receipts (r12), or those of events (e5), again.

    What is known already isn't acted upon twice: only what could not be understood before, or is new to a mended
    plugin, goes on. A wanted second sending is --again.
    """
    from hub import handwork
    from hub.store import reading

    if bool(ids) == (since is not None):
        raise click.UsageError("name receipts (r12 r13), or say --since T")
    store = app.open_store()
    with store.read() as db:
        wanted = [id for kind, id in ids if kind == "r"]
        for kind, id in ids:
            if kind == "e":
                wanted.append(_receipt_of(db, id))
        if since is not None:
            found = reading.receipts_since(db, since, connection)
            wanted = [row["id"] for row in found if row["state"] in ("done", "unreadable")]
            if not wanted:
                raise WorldError("no receipts since then that could be read again")
    hint(app)
    batch = _batch(store, "replay") if since is not None else ""
    carry_out(store, [partial(handwork.replay, id=id, again=again, batch=batch) for id in dict.fromkeys(wanted)])
    if batch:
        output.echo(f"what comes of it is batch {batch}: hub undo --batch {batch} takes it back")


def _batch(store: Store, what: str) -> str:
    from hub.store import work

    with store.read() as db:
        return work.new_batch(db, what)


def _receipt_of(db: Db, event: int) -> int:
    from hub.store import reading

    row = reading.event(db, event)
    if row is None:
        raise WorldError(f"there is no event e{event}")
    if row["receipt"] is None:
        raise WorldError(f"e{event} came from no request: one of the hub's own acts brought it (hub explain e{event})")
    return int(row["receipt"])


@click.command()
@click.argument("ids", nargs=-1, type=Id("de"))
@click.option("--all", "every", is_flag=True, help="All parked deliveries.")
@click.option("--connection", default="", metavar="C", help="With --all: only of this connection.")
@pass_app
def retry(app: App, ids: tuple[tuple[str, int], ...], every: bool, connection: str) -> None:
    """Send parked deliveries (d7) again, or look an event up again that could not be completed (e5)."""
    from hub import handwork
    from hub.store import reading

    if bool(ids) == every:
        raise click.UsageError("name deliveries (d7 d8), or say --all")
    store = app.open_store()
    if every:
        with store.read() as db:
            ids = tuple(("d", id) for id in reading.parked(db, connection))
        if not ids:
            output.echo("nothing is parked")
            return
    hint(app)
    batch = _batch(store, "retry") if sum(kind == "d" for kind, _ in ids) > 1 else ""
    how: dict[str, Callable[..., str]] = {
        "d": partial(handwork.retry, batch=batch), "e": handwork.retry_event,
    }  # fmt: skip
    carry_out(store, [partial(how[kind], id=id) for kind, id in ids])
    if batch:
        output.echo(f"they are batch {batch}: hub undo --batch {batch} takes back what they write")


@click.command()
@click.argument("ids", nargs=-1, required=True, type=Id("dr"))
@pass_app
def drop(app: App, ids: tuple[tuple[str, int], ...]) -> None:
    """Give waiting or parked deliveries (d7), or unread receipts (r12), up. The later steps of a run go with it."""
    from hub import handwork

    how = {"d": handwork.drop, "r": handwork.drop_receipt}
    carry_out(app.open_store(), [partial(how[kind], id=id) for kind, id in ids])


@click.command()
@click.argument("connection")
@pass_app
def pause(app: App, connection: str) -> None:
    """Hold all calls of a connection back, polls too; what comes in is still taken."""
    from hub import handwork

    name = app.connection(connection)
    carry_out(app.open_store(), [partial(handwork.pause, connection=name)])


@click.command()
@click.argument("connection")
@pass_app
def resume(app: App, connection: str) -> None:
    """Let a connection's calls out again: lifts a pause, a hold for credentials and the breaker."""
    from hub import handwork

    name = app.connection(connection)
    carry_out(app.open_store(), [partial(handwork.resume, connection=name)])
