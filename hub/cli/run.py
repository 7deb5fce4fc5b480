"""`hub run`: the whole hub on this machine, nothing else to install."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import click

from hub.cli import output
from hub.cli.context import App, WorldError, pass_app
from hub.cli.output import count

if TYPE_CHECKING:
    from hub.redis_server import LocalRedis


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, metavar="N", help="The port.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
              help="Worker processes.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 256), default=24, show_default=True, metavar="N",
              help="Calls in flight at once in each worker.")  # fmt: skip
@click.option("--log-json", is_flag=True, help="Log JSON, one object a line.")
@pass_app
def run(app: App, host: str, port: int, workers: int, threads: int, log_json: bool) -> None:
    """Run the whole hub: web, workers, sweeper, all under one data folder, until Ctrl+C or SIGTERM.

    The store is SQLite there, or DATABASE_URL. Redis is REDIS_URL, else a redis-server or valkey-server on this
    machine, else the one that came along; without any the workers look for work every second.
    """
    from hub.cli.logs import set_up
    from hub.processes import bind
    from hub.supervisor import AlreadyRunning, Supervisor, folder_lock

    config = app.config
    set_up(app.masker, log_json)
    try:
        with folder_lock(app.folder):
            bind(host, port).close()
            redis = None if app.redis_url() else local_redis(app)
            plan = app.plan(workers=workers, threads=threads, host=host, port=port)
            if redis is not None:
                plan.redis_url = redis.url
            told = f"{count(len(config.connections), 'connection')}, {count(len(config.routes), 'route')}"
            where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

            def ready() -> None:
                output.echo(f"the hub is ready on {where} ({told}); Ctrl+C ends it")

            try:
                Supervisor(plan, workers, redis).run(ready)
            finally:
                if redis is not None:
                    redis.stop()
    except AlreadyRunning as error:
        raise WorldError(str(error)) from None


def local_redis(app: App) -> LocalRedis | None:
    """Start a Redis of the hub's own, if this machine has a server; say so where it has none."""
    from hub.redis_server import LocalRedis, program

    command = program()
    if command is not None:
        redis = LocalRedis(command, app.folder)
        # Until the supervisor takes the signals over, a SIGTERM must not leave the server's folder behind.
        signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
        try:
            if redis.start():
                return redis
        except BaseException:
            redis.stop()
            raise
        redis.stop()
    output.echo("no Redis here: workers look for work every second, each keeps to its share of a limit", err=True)
    return None
