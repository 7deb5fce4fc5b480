"""A stand-in of a Bitrix24 portal: classic REST (v2), its OAuth server, its events and its limits.

    with Bitrix24Sandbox().start() as portal:
        requests.post(portal.sandbox.credentials()["webhook_url"] + "crm.deal.add", json={"fields": {...}})

What a test can do to it beyond the base's `/_sandbox/fault|state|reset`:

* `POST /_sandbox/outgoing_webhook` `{"url", "events", "application_token"}` adds an outgoing webhook of the UI
* `POST /_sandbox/install_app` `{"url"}` installs the application: ONAPPINSTALL with tokens goes to `url`
* `POST /_sandbox/app` `{"redirect_uri"}` sets where /oauth/authorize/ sends the browser
* `POST /_sandbox/ui` `{"method", "params", "user_id"}` acts as a person in the UI: no limits, events go out
* `POST /_sandbox/operator` `{"connector", "line", "chat", "text", "files", "user_id"}` answers a client in an open
  line; with `"act"` edit or delete (`"message_id"`), close, switch_off or delete_line
* `POST /_sandbox/emit` `{"event", "data"}` sends any other event (ONEXTERNALCALLSTART, ONSESSIONSTART, ...)

Limits, latency and the clock are arguments of the constructor.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, redirect, request

from hub import sandbox as base
from plugins.bitrix24.sandbox import (  # noqa: F401 - importing registers the methods
    binds,
    chats,
    crm,
    directory,
    duplicates,
    extras,
    items,
    notes,
    notices,
    openlines,
    smart,
    tasks,
    telephony,
)
from plugins.bitrix24.sandbox.access import EXPIRED, SCOPES, Access, App
from plugins.bitrix24.sandbox.batch import run_batch
from plugins.bitrix24.sandbox.events import Events, Handler
from plugins.bitrix24.sandbox.fields import TYPE_IDS
from plugins.bitrix24.sandbox.limits import TOO_LONG, TOO_MANY, Bucket, Operating
from plugins.bitrix24.sandbox.params import read_params
from plugins.bitrix24.sandbox.portal import Portal
from plugins.bitrix24.sandbox.values import iso
from plugins.bitrix24.sandbox.words import METHODS, Call, Listing, RestError

APP = App(
    client_id="app.fake000000000.00000000",
    client_secret="fake_client_secret_of_the_sandbox",
    application_token="fake_application_token_0000000001",
    member_id="0000000000000000000000000000fake",
)
WEBHOOK_SECRET = "fakewebhooksecret"
OUTGOING_TOKEN = "fake_outgoing_webhook_token_00001"

#: faults that answer with an error, at the door of a request
_ERRORS: dict[str, tuple[str, str, int]] = {
    "expired_token": EXPIRED,
    "rate_limit": TOO_MANY,
    "operating_limit": TOO_LONG,
    "internal_error": ("INTERNAL_SERVER_ERROR", "Internal server error", 500),
    "overload": ("OVERLOAD_LIMIT", "REST API is blocked due to overload", 503),
    "inactive_line": ("NOT_ACTIVE_LINE", "Линия c таким ID неактивна или не существует", 400),
    "access_denied": ("ACCESS_DENIED", "Access denied!", 403),
}
_EVENT_FAULTS = ("drop_event", "duplicate_event")
_PAGE_OF_HTML = "<html><body><h1>Bitrix24</h1>The portal is being updated</body></html>"


class Bitrix24Sandbox(base.Sandbox):
    """One portal with one local application, one inbound webhook of user 1 and its employees."""

    vendor = "bitrix24"
    own_faults = (*_ERRORS, "html", "invalid_grant", *_EVENT_FAULTS)

    def __init__(
        self,
        rate_per_second: float | None = 2,
        burst: int = 50,
        operating_limit: float | None = 480,
        operating_cost: float | dict[str, float] = 0.0,
        latency: float = 0.0,
        clock: Callable[[], dt.datetime] | None = None,
        scopes: list[str] | None = None,
        redirect_uri: str = "http://127.0.0.1/oauth/callback",
        event_workers: int = 1,
    ) -> None:
        """Set the limits (None = off), the booked run time per call (all or by method) and the real latency."""
        self._rate, self._burst, self._operating_limit = rate_per_second, burst, operating_limit
        self._cost, self._latency, self._workers = operating_cost, latency, event_workers
        self._scopes, self._redirect_uri = list(scopes or SCOPES), redirect_uri
        self.clock = clock or (lambda: base.now_utc())
        super().__init__()

    # --- the base's hooks ---------------------------------------------------------------------

    def seed(self) -> None:
        """Start a fresh portal; handlers, tokens and limits are forgotten too."""
        if old := self.__dict__.get("portal"):
            old.events.close()
        self.access = Access(APP, WEBHOOK_SECRET, self.clock, self._scopes, self._redirect_uri)
        self.access.base_url = self.base_url
        self.events = Events(self._event_fault, self._event_auth, self.clock, self._workers)
        self.portal = Portal(self.clock, self.events, self.access)
        self.bucket = Bucket(self._rate, self._burst)
        self.operating = Operating(self._operating_limit)

    def call_name(self) -> str:
        """Name the request by its method in lower case, `oauth.token` and `oauth.authorize` included."""
        path = [part for part in request.path.split("/") if part]
        if path[:1] == ["rest"] and len(path) > 1:
            return path[-1].lower().removesuffix(".json")
        return ".".join(path).lower()

    def credentials(self) -> dict[str, str]:
        """Return what a connection needs; every secret is a fake."""
        self.access.base_url = self.base_url
        return {
            "webhook_url": f"{self.base_url}/rest/1/{WEBHOOK_SECRET}/",
            "application_token": APP.application_token,
            "member_id": APP.member_id,
            "client_id": APP.client_id,
            "client_secret": APP.client_secret,
            "portal": self.base_url,
            "oauth_url": f"{self.base_url}/oauth/token/",
        }

    def state(self) -> dict[str, Any]:
        """Show all records as the old methods do, events with their fate, and counters."""
        portal = self.portal
        shown: dict[str, Any] = {
            _PLURALS[kind]: [crm.old_row(portal, kind, each) | _bound(each) for each in rows.values()]
            for kind, rows in portal.records.items()
        }
        return shown | {
            "comments": [notes.comment_row(each) for each in portal.comments.values()],
            "activities": [notes.activity_row(each) for each in portal.activities.values()],
            "items": [smart.shown(each) for each in portal.items.values()],
            "tasks": [
                tasks.task_row(Call(portal, ""), each) | {"ufCrmTask": each["UF_CRM_TASK"]}
                for each in portal.tasks.values()
            ],
            "notifications": portal.notifications,
            "messages": portal.messages,
            "deliveries": portal.deliveries,
            "readings": portal.readings,
            "chats": [
                {"connector": key[0], "line": key[1], "chat": key[2], **talk} for key, talk in portal.chats.items()
            ],
            "lines": list(portal.lines.values()),
            "connectors": portal.connectors,
            "external_calls": list(portal.calls.values()),
            "triggers": portal.triggers,
            "traces": portal.traces,
            "documents": portal.documents,
            "handlers": [vars(each) | {"events": sorted(each.events)} for each in self.events.handlers],
            "events": list(self.events.log),
            "offline": list(self.events.offline.rows.values()),
            "counters": {
                "creates": {kind: portal.creates.get(kind, 0) for kind in _COUNTED},
                "events": dict(self.events.counters),
                "refreshes": self.access.refreshes,
                "refused_by_rate": self.bucket.refused,
            },
        }

    # --- for tests in the same process ----------------------------------------------------------

    def act(self, method: str, params: dict[str, Any] | None = None, user_id: int = 1) -> Any:
        """Do what a person does in the UI and return the result; no auth, no limits, events go out."""
        with self.lock:
            return self._perform(Call(self.portal, method.lower(), params or {}, int(user_id), "ui"))["result"]

    def tokens(self, user_id: int = 1) -> dict[str, Any]:
        """Issue an OAuth pair as /oauth/token/ would."""
        with self.lock:
            self.access.base_url = self.base_url
            return self.access.pair(user_id)

    def wait_events(self, seconds: float = 5.0) -> bool:
        """Wait until every queued event went out."""
        return self.events.wait(seconds)

    # --- routes ---------------------------------------------------------------------------------

    def routes(self) -> None:
        """Add REST, OAuth and the controls."""
        self.app.before_request(self._know_address)
        self.app.add_url_rule("/rest/<path:path>", view_func=self._rest, methods=["GET", "POST"])
        self.app.add_url_rule("/oauth/authorize/", view_func=self._authorize)
        self.app.add_url_rule("/oauth/token/", view_func=self._token, methods=["GET", "POST"])
        for name, view in (
            ("ui", self._ui),
            ("operator", self._operator),
            ("outgoing_webhook", self._outgoing_webhook),
            ("install_app", self._install_app),
            ("app", self._set_app),
            ("emit", self._emit),
        ):
            self.app.add_url_rule(f"/_sandbox/{name}", view_func=view, methods=["POST"], endpoint=name)

    def _know_address(self) -> None:
        self.access.base_url = self.base_url or request.host_url.rstrip("/")

    def _rest(self, path: str) -> Any:
        started = time.perf_counter()
        try:
            answer = self._answer(path.rstrip("/").split("/"), started)
        except RestError as error:
            return jsonify(error.body()), error.status
        return answer

    def _answer(self, path: list[str], started: float) -> Any:
        name = self.call_name()
        if fault := self.fault_for(name, *_ERRORS, "html"):
            if fault.kind == "html":
                return Response(_PAGE_OF_HTML, mimetype="text/html")
            raise RestError(*_ERRORS[fault.kind])
        with self.lock:
            call = self._identify(path, name, read_params(request))
            self.bucket.take(self.clock().timestamp())
        if self._latency:
            time.sleep(self._latency)
        with self.lock:
            return jsonify(self._batch(call, started) if name == "batch" else self._perform(call, started))

    def _identify(self, path: list[str], name: str, params: dict[str, Any]) -> Call:
        """Tell the caller: /rest/<user>/<secret>/<method> or /rest/<method> with `auth`."""
        if len(path) == 3:
            return Call(self.portal, name, params, self.access.webhook_user(path[0], path[1]), "hook")
        if len(path) != 1:
            raise _not_found()
        return Call(self.portal, name, params, self.access.token_user(params.get("auth")), "app")

    # --- a call -----------------------------------------------------------------------------------

    def _batch(self, call: Call, started: float) -> dict[str, Any]:
        return self._envelope(call, run_batch(call, self._perform_inner), started)

    def _perform_inner(self, call: Call) -> dict[str, Any]:
        """Run one command of a batch; a fault armed for its method hits it alone."""
        if fault := self.fault_for(call.method, *_ERRORS):
            raise RestError(*_ERRORS[fault.kind])
        return self._perform(call)

    def _perform(self, call: Call, started: float | None = None) -> dict[str, Any]:
        """Run one method and wrap its result; limits and rights are those of the caller."""
        started = started or time.perf_counter()
        found = METHODS.get(call.method)
        if found is None:
            raise _not_found()
        if call.via != "ui":
            self._admit(call)
        result = found.handler(call)
        if call.via != "ui":
            self.operating.add(call.via, call.method, self._time(), self._run_time(call.method, started))
        return self._envelope(call, result, started)

    def _admit(self, call: Call) -> None:
        found = METHODS[call.method]
        if found.app_only and call.via == "hook":
            text = "Current authorization type is denied for this method Application context required"
            raise RestError("WRONG_AUTH_TYPE", text, 403)
        if found.scope and found.scope not in self._scopes:
            text = "The request requires higher privileges than provided by the webhook token"
            raise RestError("insufficient_scope", text, 403)
        self.operating.check(call.via, call.method, self._time())

    def _run_time(self, method: str, started: float) -> float:
        cost = self._cost.get(method, 0.0) if isinstance(self._cost, dict) else self._cost
        return cost + time.perf_counter() - started

    def _envelope(self, call: Call, result: Any, started: float) -> dict[str, Any]:
        body: dict[str, Any] = {"result": result}
        if isinstance(result, Listing):
            body = {"result": result.result}
            body |= {"next": result.next} if result.next is not None else {}
            body["total"] = result.total
        now, spent = self.clock(), time.perf_counter() - started
        begun = now - dt.timedelta(seconds=spent)
        body["time"] = {
            "start": begun.timestamp(),
            "finish": now.timestamp(),
            "duration": spent,
            "processing": spent,
            "date_start": iso(begun),
            "date_finish": iso(now),
            "operating_reset_at": self.operating.reset_at(call.via, call.method, now.timestamp()),
            "operating": self.operating.spent(call.via, call.method, now.timestamp()),
        }
        return body

    def _time(self) -> float:
        return self.clock().timestamp()

    # --- OAuth ------------------------------------------------------------------------------------

    def _authorize(self) -> Any:
        with self.lock:
            args = request.args
            target = self.access.authorize(args.get("client_id", ""), args.get("state", ""))
        return redirect(target) if target else (_PAGE_OF_HTML, 400)

    def _token(self) -> Any:
        fault = self.fault_for("oauth.token", "invalid_grant", "internal_error", "overload", "html")
        if fault and fault.kind == "html":
            return Response(_PAGE_OF_HTML, mimetype="text/html")
        try:
            if fault:
                raise RestError(*_ERRORS.get(fault.kind, ("invalid_grant", "", 400)))
            with self.lock:
                return jsonify(self.access.exchange(request.values.to_dict()))
        except RestError as error:
            body = error.body() if error.text else {"error": error.code}
            return jsonify(body), error.status

    # --- events -----------------------------------------------------------------------------------

    def _event_fault(self, event: str) -> str:
        fault = self.fault_for(event, *_EVENT_FAULTS)
        return fault.kind if fault else ""

    def _event_auth(self, handler: Handler, user_id: int) -> dict[str, Any]:
        if handler.is_app:
            return self.access.app_auth(handler.auth_type or user_id)
        return self.access.webhook_auth(handler.application_token)

    # --- controls ---------------------------------------------------------------------------------

    def _ui(self) -> Any:
        body = request.get_json(force=True)
        try:
            return jsonify(result=self.act(body["method"], body.get("params"), int(body.get("user_id") or 1)))
        except RestError as error:
            return jsonify(error.body()), error.status

    def _operator(self) -> Any:
        body = request.get_json(force=True)
        with self.lock:
            try:
                call = Call(self.portal, "operator", body, int(body.get("user_id") or 1), "ui")
                return jsonify(chats.operator_acts(call))
            except RestError as error:
                return jsonify(error.body()), error.status

    def _outgoing_webhook(self) -> Any:
        body = request.get_json(force=True)
        with self.lock:
            token = body.get("application_token") or OUTGOING_TOKEN
            handler = self.events.listen(body["url"], body.get("events") or [], token)
        return jsonify(event_handler_id=handler.number, application_token=token)

    def _install_app(self) -> Any:
        body = request.get_json(force=True)
        data = {"VERSION": "1.0.0", "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": "ru"}
        with self.lock:
            self.events.install(body["url"], data, self.access.install_auth(int(body.get("user_id") or 1)))
        return jsonify(queued="ONAPPINSTALL")

    def _set_app(self) -> Any:
        with self.lock:
            self.access.redirect_uri = request.get_json(force=True)["redirect_uri"]
        return jsonify(redirect_uri=self.access.redirect_uri)

    def _emit(self) -> Any:
        body = request.get_json(force=True)
        with self.lock:
            user_id = int(body.get("user_id") or 1)
            self.events.publish(body["event"].upper(), body.get("data", {}), body.get("id"), user_id)
        return jsonify(queued=body["event"].upper())


_PLURALS = {"lead": "leads", "deal": "deals", "contact": "contacts", "company": "companies"}
_COUNTED = (*TYPE_IDS, "comment", "activity", "task", "notify", "call", "message")


def _bound(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("CONTACT_IDS", "COMPANY_IDS") if record[name]}


def _not_found() -> RestError:
    return RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
