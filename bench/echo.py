"""The baseline of the acknowledgement: a bare Flask echo under the same server with the same settings."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import flask


def _app() -> flask.Flask:
    app = flask.Flask("echo")

    @app.post("/in/<name>")
    def echo(name: str) -> bytes:
        return flask.request.get_data()

    return app


def _serve(port: int, blocking_threads: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces

    def load() -> Callable[..., Any]:
        return _app()

    Granian(
        "echo", address="127.0.0.1", port=port, interface=Interfaces.WSGI, workers=1,
        blocking_threads=blocking_threads, backlog=2048, backpressure=blocking_threads * 4, websockets=False,
        log_enabled=False,
    ).serve(target_loader=load, wrap_loader=False)  # fmt: skip


class Echo:
    """The echo server in a process of its own."""

    def __init__(self, port: int, blocking_threads: int) -> None:
        self.process = multiprocessing.get_context("fork").Process(target=_serve, args=(port, blocking_threads))
        self.process.start()
        import socket

        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.02)
        time.sleep(0.3)

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.join(5)
