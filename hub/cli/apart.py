"""`hub serve`, `hub work`, `hub tick`: the parts of the hub apart, any number of each on any machine."""

from __future__ import annotations

import click

from hub.cli import output
from hub.cli.context import App, InputError, pass_app
from hub.processes import Plan

log_json_option = click.option("--log-json", is_flag=True, help="Log JSON, one object a line.")
threads_option = click.option("--threads", type=click.IntRange(1, 256), default=24, show_default=True, metavar="N",
                              help="Calls in flight at once in each process.")  # fmt: skip


def shared_plan(app: App, part: str, log_json: bool, **changes: object) -> Plan:
    """Return the plan of a process that shares its store with others; sets up the log."""
    from hub.cli.logs import set_up

    plan = app.plan(part=part, **changes)
    if not plan.database_url:
        raise InputError(
            "serve, work and tick share one PostgreSQL: set DATABASE_URL=postgresql://... "
            "(or hub: {database_url: ...}). On one machine without it: hub run"
        )
    set_up(app.masker, log_json)
    app.folder.mkdir(parents=True, exist_ok=True)
    return plan


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, metavar="N", help="The port.")
@log_json_option
@pass_app
def serve(app: App, host: str, port: int, log_json: bool) -> None:
    """Run only the web: it takes requests and stores them. Needs DATABASE_URL; REDIS_URL makes workers hear at once."""
    from hub.processes import bind, run_web

    plan = shared_plan(app, "serve", log_json, host=host, port=port)
    bind(host, port).close()
    output.echo(f"serving on http://{host}:{port}; Ctrl+C ends it")
    run_web(plan)


@click.command()
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
              help="Worker processes on this machine.")  # fmt: skip
@threads_option
@log_json_option
@pass_app
def work(app: App, processes: int, threads: int, log_json: bool) -> None:
    """Run only workers: they read, plan and deliver. Needs DATABASE_URL; REDIS_URL makes them hear at once."""
    from hub.processes import run_worker
    from hub.supervisor import Supervisor

    plan = shared_plan(app, "work", log_json, workers=processes, threads=threads)
    output.echo(f"working with {processes} process{'es' if processes > 1 else ''}; Ctrl+C ends it")
    if processes == 1:
        run_worker(plan)
    else:
        Supervisor(plan, processes, web=False, ticker=False).run()


@click.command()
@log_json_option
@pass_app
def tick(app: App, log_json: bool) -> None:
    """Run only the sweeper: polls, upkeep, forgetting. One is enough; several do no harm. Needs DATABASE_URL."""
    from hub.processes import run_ticker

    plan = shared_plan(app, "tick", log_json)
    output.echo("sweeping; Ctrl+C ends it")
    run_ticker(plan)
