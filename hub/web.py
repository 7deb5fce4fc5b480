"""The HTTP face: hooks in, consent, health, metrics. A thin Flask app; the work is in `hub.receive`."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import flask
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from werkzeug.exceptions import BadRequest, ClientDisconnected, HTTPException, RequestEntityTooLarge

from hub import consent
from hub.errors import Rejected
from hub.front import BODY, LATER, UNDERSCORED, Front, Later, Rules
from hub.metrics import StoreMetrics
from hub.model import Reply, Request
from hub.normal import storable
from hub.receive import Accepted, Receiver
from hub.runtime import Runtime

log = logging.getLogger("hub.web")

#: no plugin may raise its limit above this
LARGEST_BODY = 32 * 1024 * 1024
#: parameters an address may have
_PARAMETERS = 500
#: what anything but a message to a known connection may have
OTHER_BODY = 1_000_000


def create_app(runtime: Runtime, ring: Callable[[], None]) -> flask.Flask:
    """Return the WSGI app of one web process."""
    app = flask.Flask("hub", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.merge_slashes = False  # a redirect would name a host that the sender has chosen
    receiver = Receiver(runtime, ring)
    app.extensions["receiver"] = receiver
    registry = CollectorRegistry()
    registry.register(StoreMetrics(runtime))
    took = Histogram(
        "hub_acknowledge_seconds", "Time from request to acknowledgement", registry=registry,
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1, 2, 5),
    )  # fmt: skip
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

    def hook(connection: str, tail: str = "") -> flask.Response:
        started = time.perf_counter()
        later: Later | None = flask.request.environ.get(LATER)
        limit = body_limit(runtime, connection)
        try:
            request = read_request(tail, limit)
        except RequestEntityTooLarge:
            remote = flask.request.remote_addr or ""
            request = Request(flask.request.method, flask.request.path, remote=remote, tail=tail)
            reply = receiver.turn_away(connection, request, Rejected(413, f"larger than {limit} bytes"))
        else:
            taken = receiver.take(connection, request, later.arrived if later else None)
            if isinstance(taken, Accepted):
                if later is not None:
                    later.accepted, later.told = taken, lambda: took.observe(time.perf_counter() - started)
                    return _OPEN
                taken = taken.wait()
            reply = taken
        took.observe(time.perf_counter() - started)
        return respond(reply)

    for rule in ("/in/<connection>", "/in/<connection>/", "/in/<connection>/<path:tail>"):
        app.add_url_rule(rule, view_func=hook, endpoint="hook" + rule, methods=methods, provide_automatic_options=False)

    @app.route("/oauth/<connection>", methods=["GET", "POST"])
    def oauth(connection: str) -> flask.Response:
        return respond(consent.answer(runtime, connection, read_request("", OTHER_BODY), receiver))

    @app.get("/")
    def front() -> flask.Response:
        words = "This is a hub: it takes messages at /in/<connection>. `hub explain` tells what became of them.\n"
        return flask.Response(words, mimetype="text/plain")

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.get("/readyz")
    def readyz() -> Any:
        try:
            runtime.store.healthy()
            runtime.store.check_room()
            receiver.commit.check()
        except Exception as error:  # noqa: BLE001 (any failure of the store means: not ready)
            log.error("not ready: the store takes nothing: %s: %s", type(error).__name__, error)
            return "the store takes nothing now", 503
        return "ok"

    @app.get("/metrics")
    def metrics() -> flask.Response:
        return flask.Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")

    @app.errorhandler(Exception)
    def trouble(error: Exception) -> Any:
        if isinstance(error, HTTPException):
            plain = flask.Response.force_type(error.get_response(), flask.request.environ)  # keeps Allow and Location
            plain.data, plain.mimetype = error.description or "", "text/plain"
            return plain
        log.exception("a request failed inside the hub")
        return flask.Response("try again later", status=503, headers={"Retry-After": "30"}, mimetype="text/plain")

    return app


class _Open(flask.Response):
    """Stands for an answer that the front gives itself, once the receipt is on disk."""

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        """Say nothing: nobody will read it."""
        start_response("202 ACCEPTED", [])
        return []


_OPEN = _Open()


def create_front(runtime: Runtime, ring: Callable[[], None]) -> Front:
    """Return what granian serves in one web process."""
    app = create_app(runtime, ring)

    other = Rules(OTHER_BODY)
    known = {
        name: Rules(body_limit(runtime, name), inline=not _waits(runtime, name)) for name in runtime.config.connections
    }

    def rules(path: str) -> Rules:
        parts = path.split("/", 3)
        return known.get(parts[2], other) if parts[:2] == ["", "in"] and len(parts) > 2 else other

    def close() -> None:
        app.extensions["receiver"].commit.stop()
        runtime.close()

    return Front(app, rules, close)


def _waits(runtime: Runtime, connection: str) -> bool:
    """Return whether a connection's `verify` may have to wait; a plugin that stumbles here must not stop the others."""
    try:
        return runtime.connector(connection).verify_waits
    except Exception:
        log.exception("connection %s can't be set up; its messages are looked at one by one", connection)
        return True


def body_limit(runtime: Runtime, connection: str) -> int:
    """Return how many bytes a message to a connection may have."""
    config = runtime.config.connections.get(connection)
    return min(config.connector.max_body, LARGEST_BODY) if config else OTHER_BODY


def read_request(tail: str, limit: int) -> Request:
    """Return the present Flask request as the hub's own, its body read up to `limit` bytes."""
    # Straight from the environ: werkzeug's request, header and argument objects cost a fifth of an acknowledgement.
    environ = flask.request.environ
    told = environ.get("CONTENT_LENGTH") or "0"
    length = int(told) if told.isascii() and told.isdecimal() else 0
    if length > limit:
        raise RequestEntityTooLarge()
    body = environ.get(BODY)
    if body is None:  # Flask is served without the front
        flask.request.max_content_length = limit + 1  # without a told length, what is longer is cut there, not refused
        body = flask.request.get_data(cache=False, parse_form_data=False)
    if len(body) > limit:
        raise RequestEntityTooLarge()
    if len(body) < length:
        raise ClientDisconnected("the body broke off")  # granian hands over what came until then
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    headers |= environ.get(UNDERSCORED, {})
    return Request(
        method=flask.request.method,
        path=storable(flask.request.path),
        query=_query(environ.get("QUERY_STRING") or ""),
        headers=headers,
        body=body,
        remote=environ.get("REMOTE_ADDR") or "",
        tail=tail,
        at=dt.datetime.now(dt.UTC),
    )


def _query(text: str) -> tuple[tuple[str, str], ...]:
    """Return the parameters of an address; 400 for more of them than any vendor has."""
    if not text:
        return ()
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_PARAMETERS))
    except ValueError:
        raise BadRequest(f"more than {_PARAMETERS} parameters in the address") from None


def respond(reply: Reply) -> flask.Response:
    """Return a Reply as a Flask response."""
    response = flask.Response(reply.body, status=reply.status, content_type=reply.content_type)
    for name, value in reply.headers.items():
        response.headers[name] = value
    return response
