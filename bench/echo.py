"""The baseline of the acknowledgement: a bare Flask echo under the same server with the same settings."""

from __future__ import annotations

import multiprocessing
import time

import flask


def _app() -> flask.Flask:
    app = flask.Flask("echo")

    @app.post("/in/<name>")
    def echo(name: str) -> bytes:
        return flask.request.get_data()

    return app


def _serve(port: int) -> None:
    from hub.front import Front, Rules
    from hub.processes import serve

    serve(lambda: Front(_app(), lambda path: Rules(1_000_000, inline=True), lambda: None), "127.0.0.1", port)


class Echo:
    """The echo server in a process of its own."""

    def __init__(self, port: int) -> None:
        self.process = multiprocessing.get_context("fork").Process(target=_serve, args=(port,))
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
