"""A stand-in of an amoCRM account: API v4, OAuth, webhooks, the Chats API, its limits and the block behind them.

    with AmoCrmSandbox().start() as account:
        requests.get(account.url + "/api/v4/account", headers={"Authorization": "Bearer " + LONG_LIVED})

What a test can do to it beyond the base's `/_sandbox/fault|state|reset`:

* `POST /_sandbox/ui` `{"method", "path", "body", "user"}` acts as a person: no token, no limits, webhooks go out
* `POST /_sandbox/delete` `{"kind", "id"}` deletes a record, a task (`tasks`) or an incoming lead (`unsorted`, by uid)
* `POST /_sandbox/hooks` `{"url", "settings"}` registers a handler of webhooks, with every event if none is named
* `POST /_sandbox/hooks/redeliver` sends now what waits for its next try; `.../hooks/disable` switches all off
* `POST /_sandbox/pipeline_hook` `{"url", "event", "lead"}` sends the pipeline's own webhook about a deal
* `POST /_sandbox/chat/incoming` `{"text", "name", "origin", "lead" or "uid"}` somebody writes in a channel of the
  account: to a deal, to an incoming lead that waits, or for the first time
* `POST /_sandbox/chat/channel` `{"url"}` sets the channel's webhook; `.../answer` `{"conversation", "text"}` answers
* `POST /_sandbox/disconnect` `{"url"}` switches the integration off: the signed GET goes to `url`
* `POST /_sandbox/unblock` lifts the block, as support does
"""

from __future__ import annotations

import hmac
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Response, jsonify, redirect, request

from hub import sandbox as base
from plugins.amocrm.sandbox.access import CLIENT_ID, CLIENT_SECRET, LONG_LIVED, Access
from plugins.amocrm.sandbox.amojo import CHANNEL_ID, CHANNEL_SECRET, Amojo
from plugins.amocrm.sandbox.crm import Crm, hook_row
from plugins.amocrm.sandbox.desk import Desk
from plugins.amocrm.sandbox.directory import Directory
from plugins.amocrm.sandbox.hooks import Hooks
from plugins.amocrm.sandbox.words import ApiError, blocked, body, hal, nothing, params, problem
from plugins.amocrm.sandbox.world import ACCOUNT_ID, ADMIN, AMOJO_ID, SINGULAR, SUBDOMAIN, World

HOOK_SECRET = "fake-word-of-the-hooks-0001"
_KINDS = "leads|contacts|companies|customers"
_FAULTS: dict[str, ApiError] = {
    "expired_token": ApiError(401, "Неверный логин или пароль"),
    "rate_limit": ApiError(429),
    "unpaid": ApiError(402, "Аккаунт не оплачен"),
    "forbidden": ApiError(403, "Недостаточно прав"),
    "validation": ApiError(400, "Request validation failed", []),
}


class AmoCrmSandbox(base.Sandbox):
    """One account with an integration, a long-lived token and a chat channel."""

    vendor = "amocrm"
    own_faults = (*_FAULTS, "blocked", "gateway", "html", "drop_event", "duplicate_event")

    def __init__(
        self,
        rate_per_second: float | None = 7,
        block_after: int = 50,
        clock: Callable[[], float] = time.time,
        filters: bool = True,
        settings: set[str] | None = None,
        redirect_uri: str = "",
    ) -> None:
        """Set the limit (None = off), after how many refused calls the address is blocked, and what the plan knows."""
        self._rate, self._block_after, self.clock = rate_per_second, block_after, clock
        self._filters, self._settings, self._redirect = filters, settings, redirect_uri
        super().__init__()

    # --- the base's hooks ---------------------------------------------------------------------

    def seed(self) -> None:
        """Start a fresh account."""
        if old := self.__dict__.get("hooks"):
            old.close()
        self.hooks = Hooks(self.clock, self._event_fault, self._settings)
        self.world = World(self.clock, self._told)
        self.crm = Crm(self.world, lambda: self.base_url, self._filters)
        self.desk = Desk(self.world, self.crm, lambda: self.base_url)
        self.access = Access(self.clock, self._redirect or "https://hub.example.com/oauth/amo")
        self.amojo = Amojo(self.world, self.clock)
        self.directory = Directory(self.world, lambda: self.base_url, {"is_api_filter_enabled": self._filters})
        self.is_blocked, self._refused, self._level, self._at = False, 0, 0.0, 0.0
        self.api_calls: list[dict[str, Any]] = []

    def call_name(self) -> str:
        """Name the request: `POST leads`, `GET contacts/5`, `POST oauth2/access_token`, `POST amojo/...`."""
        path = request.path.removeprefix("/api/v4/").removeprefix("/v2/origin/custom").strip("/")
        return f"{request.method} {'amojo/' if request.path.startswith('/v2/') else ''}{path}"

    def credentials(self) -> dict[str, Any]:
        """Return what a connection needs; every secret is a fake."""
        return {
            "base_url": self.base_url,
            "token": LONG_LIVED,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": self.access.redirect_uri,
            "hook_secret": HOOK_SECRET,
            "account_id": str(ACCOUNT_ID),
            "chats": {"channel_id": CHANNEL_ID, "secret": CHANNEL_SECRET, "account": AMOJO_ID, "url": self.base_url},
        }

    def state(self) -> dict[str, Any]:
        """Show all records, webhooks with their fate, chats and counters."""
        return self.world.state() | {
            "hooks": self.hooks.rows,
            "sent": [vars(one) for one in self.hooks.sent],
            "chat_messages": self.amojo.messages,
            "chat_statuses": self.amojo.statuses,
            "counters": {**self.access.counters, **self.hooks.counters, "refused_by_rate": self._refused},
            "blocked": self.is_blocked,
        }

    # --- for tests in the same process ----------------------------------------------------------

    def act(self, method: str, path: str, given: Any = None, user: int = ADMIN) -> Any:
        """Do what a person does in the account, or any call, without token and limits; return the parsed body."""
        with self.app.test_request_context(f"/api/v4/{path}", method=method, json=given), self.lock:
            self.world.now_as, before = user, self.world.now_as
            try:
                answer = self._dispatch(method, request.path.removeprefix("/api/v4/").strip("/"))
            finally:
                self.world.now_as = before
        return answer.get_json(force=True) if answer.status_code != 204 else None

    def wait_hooks(self, seconds: float = 5.0) -> bool:
        """Wait until every queued webhook was tried."""
        return self.hooks.wait(seconds)

    # --- routes ---------------------------------------------------------------------------------

    def routes(self) -> None:
        """Add the API, OAuth, chats and the controls."""
        every = ["GET", "POST", "PATCH", "DELETE", "PUT"]
        rule = self.app.add_url_rule
        rule("/api/v4/<path:path>", view_func=self._api, methods=every)
        rule("/api/v2/salesbot/run", view_func=self._bot, methods=["POST"])
        rule("/oauth2/access_token", view_func=self._token, methods=["POST"])
        rule("/oauth", view_func=self._consent)
        rule("/v2/origin/custom/<path:path>", view_func=self._chats, methods=every)
        for path, view in (
            ("ui", self._ui), ("delete", self._delete), ("hooks", self._handler), ("hooks/redeliver", self._redeliver),
            ("hooks/disable", self._disable), ("pipeline_hook", self._pipeline_hook), ("chat/incoming", self._incoming),
            ("chat/channel", self._channel), ("chat/answer", self._answer), ("disconnect", self._disconnect),
            ("unblock", self._unblock), ("expire", self._expire),
        ):  # fmt: skip
            rule(f"/_sandbox/{path}", view_func=view, methods=["POST"], endpoint=path.replace("/", "_"))

    def _guarded(self, answer: Callable[[], Any]) -> Any:
        """Put the web server's block, the faults and the limits before an answer."""
        call = self.call_name()
        if self.is_blocked:
            return blocked()
        if fault := self.fault_for(call, *_FAULTS, "blocked", "gateway", "html"):
            if fault.kind == "blocked":
                self.is_blocked = True
                return blocked()
            if fault.kind == "gateway":
                return Response("<html><h1>504 Gateway Time-out</h1></html>", 504, mimetype="text/html")
            if fault.kind == "html":
                return Response("<html>amoCRM</html>", 200, mimetype="text/html")
            return problem(_FAULTS[fault.kind])
        try:
            with self.lock:
                self._take()
                return answer()
        except ApiError as error:
            return blocked() if self.is_blocked else problem(error)

    def _take(self) -> None:
        """Count a call against the limit; too many refusals in a row block the address for good."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._level = max(0.0, self._level - (now - self._at) * self._rate)
        self._at = now
        if self._level + 1 > self._rate:
            self._refused += 1
            if self._refused >= self._block_after:
                self.is_blocked = True
            raise ApiError(429)
        self._level += 1

    def _api(self, path: str) -> Any:
        def answer() -> Any:
            self.access.check(request.headers.get("Authorization", ""))
            return self._dispatch(request.method, path.strip("/"))

        return self._guarded(answer)

    def _dispatch(self, method: str, path: str) -> Response:
        """Answer one call of API v4."""
        if found := self._plain(method, path):
            return found
        for pattern, methods, view in self._table():
            if match := re.fullmatch(pattern, path):
                if method not in methods:
                    raise ApiError(405, "Method not allowed")
                return view(method, *match.groups())
        raise ApiError(404, "Not found")

    def _plain(self, method: str, path: str) -> Response | None:
        if method != "GET":
            return None
        if path == "events":
            return self.desk.events()
        if path == "webhooks":
            rows, wanted = self.hooks.rows, params().get("filter")
            if isinstance(wanted, dict) and wanted.get("destination"):
                rows = [row for row in rows if row["destination"] == wanted["destination"]]
            return hal({"_total_items": len(rows), "_embedded": {"webhooks": rows}}) if rows else nothing()
        return self.directory.answer(path)

    def _table(self) -> list[tuple[str, tuple[str, ...], Callable[..., Response]]]:
        crm, desk = self.crm, self.desk
        both = ("GET", "POST")
        return [
            (r"webhooks", ("POST", "DELETE"), self._webhooks),
            (r"leads/complex", ("POST",), lambda method: crm.complex()),
            (r"leads/unsorted/(forms|sip)", ("POST",), lambda method, category: desk.add_unsorted(category)),
            (r"leads/unsorted", ("GET",), lambda method: desk.list_unsorted()),
            (r"leads/unsorted/(\w+)", ("GET",), lambda method, uid: desk.one_unsorted(uid)),
            (r"leads/unsorted/(\w+)/(accept|link)", ("POST",), lambda method, uid, how: desk.settle(uid, how)),
            (r"leads/unsorted/(\w+)/(decline)", ("DELETE",), lambda method, uid, how: desk.settle(uid, how)),
            (r"contacts/chats", ("POST",), self._link_chat),
            (r"calls", ("POST",), lambda method: desk.add_calls()),
            (r"tasks", (*both, "PATCH"), lambda method: desk.tasks(method)),
            (r"tasks/(\d+)", ("GET", "PATCH"), lambda method, number: desk.task(method, int(number))),
            (r"catalogs/(\d+)/elements(?:/(\d+))?", (*both, "PATCH"), self._elements),
            (rf"({_KINDS}|catalogs/\d+)/custom_fields", both, lambda method, home: crm.custom_fields(home, method)),
            (rf"({_KINDS})/tags", both, lambda method, kind: crm.tags(kind, method)),
            (rf"({_KINDS})/notes", both, lambda method, kind: self._notes(method, kind, None)),
            (rf"({_KINDS})/(\d+)/notes", both, lambda method, kind, number: self._notes(method, kind, int(number))),
            (rf"({_KINDS})(?:/\d+)?/notes/(\d+)", ("GET", "PATCH"), self._note),
            (rf"({_KINDS})/(link|unlink)", ("POST",), lambda method, kind, how: crm.links(kind, None, how)),
            (rf"({_KINDS})/(\d+)/(link|unlink)", ("POST",), lambda method, kind, n, how: crm.links(kind, int(n), how)),
            (rf"({_KINDS})/(\d+)/links", ("GET",), lambda method, kind, number: crm.list_links(kind, int(number))),
            (rf"({_KINDS})", (*both, "PATCH"), self._collection),
            (rf"({_KINDS})/(\d+)", ("GET", "PATCH"), self._single),
        ]  # fmt: skip

    def _collection(self, method: str, kind: str) -> Response:
        crm = self.crm
        return crm.list(kind) if method == "GET" else crm.post(kind) if method == "POST" else crm.patch(kind, None)

    def _single(self, method: str, kind: str, number: str) -> Response:
        return self.crm.one(kind, int(number)) if method == "GET" else self.crm.patch(kind, int(number))

    def _notes(self, method: str, kind: str, number: int | None) -> Response:
        return self.desk.add_notes(kind, number) if method == "POST" else self.desk.list_notes(kind, number)

    def _note(self, method: str, kind: str, number: str) -> Response:
        return self.desk.one_note(kind, int(number)) if method == "GET" else self.desk.patch_note(kind, int(number))

    def _elements(self, method: str, catalog: str, number: str | None) -> Response:
        return self.desk.elements(int(catalog), int(number) if number else None, method)

    def _webhooks(self, method: str) -> Response:
        given = body()
        if method == "DELETE":
            self.hooks.unsubscribe(str((given or {}).get("destination")))
            return nothing()
        return hal(self.hooks.subscribe(given, self.world.next_id), 201)

    def _link_chat(self, method: str) -> Response:
        for row in body() or []:
            chat = next((one for one in self.world.chats.values() if one["id"] == row.get("chat_id")), None)
            if chat is None or row.get("contact_id") not in self.world.records["contacts"]:
                raise ApiError(404, "Entity not found")
            chat["contact"] = row["contact_id"]
        return hal({"_embedded": {"chats": body()}})

    def _bot(self) -> Any:
        def answer() -> Any:
            self.access.check(request.headers.get("Authorization", ""))
            self.api_calls.append({"salesbot": body()})
            return jsonify({"success": True}), 202

        return self._guarded(answer)

    def _chats(self, path: str) -> Any:
        if fault := self.fault_for(self.call_name(), "gateway", "rate_limit"):
            return Response("", 504 if fault.kind == "gateway" else 429)
        with self.lock:
            return self.amojo.answer(path)

    # --- OAuth ----------------------------------------------------------------------------------

    def _token(self) -> Any:
        def answer() -> Any:
            given = request.get_json(silent=True) or request.form.to_dict()
            return jsonify(self.access.exchange(given))

        return self._guarded(answer)

    def _consent(self) -> Any:
        args = request.args
        try:
            code = self.access.authorize(args.get("client_id", ""))
        except ApiError as error:
            return problem(error)
        back = {
            "code": code,
            "referer": request.host.partition(":")[0],
            "state": args.get("state", ""),
            "client_id": CLIENT_ID,
        }
        return redirect(f"{self.access.redirect_uri}?{urlencode(back)}")

    # --- webhooks -------------------------------------------------------------------------------

    def _event_fault(self, setting: str) -> str:
        fault = self.fault_for(setting, "drop_event", "duplicate_event")
        return fault.kind if fault else ""

    def _told(self, entity: str, action: str, rows: list[dict[str, Any]]) -> None:
        """Turn a change into a webhook: companies go out under `contacts`, with their type."""
        if action == "delete" and entity in SINGULAR:
            names = ("id", "status_id", "pipeline_id") if entity == "leads" else ("id",)
            told = [{name: row[name] for name in names} for row in rows]
            if entity in ("contacts", "companies"):
                told = [{**row, "type": SINGULAR[entity]} for row in told]
        elif entity in SINGULAR and action != "note":
            told = [hook_row(entity, row, self.world) for row in rows]
        else:
            told = rows
        self.hooks.tell("contacts" if entity == "companies" else entity, action, told, {entity})

    # --- controls -------------------------------------------------------------------------------

    def _ui(self) -> Any:
        given = request.get_json(force=True)
        try:
            return jsonify(
                self.act(given.get("method", "POST"), given["path"], given.get("body"), int(given.get("user") or ADMIN))
            )
        except ApiError as error:
            return problem(error)

    def _delete(self) -> Any:
        given = request.get_json(force=True)
        kind, number = given["kind"], str(given["id"])
        with self.lock:
            if kind == "unsorted":
                self.desk.drop_unsorted(number)
            elif kind == "tasks":
                self.desk.delete_task(int(number))
            else:
                self.crm.delete(kind, int(number))
        return jsonify(deleted=True)

    def _handler(self) -> Any:
        given = request.get_json(force=True)
        settings = given.get("settings") or sorted(self.hooks.admits)
        try:
            row = self.hooks.subscribe({"destination": given["url"], "settings": settings}, self.world.next_id)
        except ApiError as error:
            return problem(error)
        return jsonify(row)

    def _redeliver(self) -> Any:
        return jsonify(again=self.hooks.again())

    def _disable(self) -> Any:
        for row in self.hooks.rows:
            row["disabled"] = True
        return jsonify(hooks=self.hooks.rows)

    def _pipeline_hook(self) -> Any:
        given = request.get_json(force=True)
        lead = self.world.records["leads"][int(given["lead"])]
        row = {"id": lead["id"], "status_id": lead["status_id"], "pipeline_id": lead["pipeline_id"]}
        self.hooks.post(given["url"], f"pipeline_{given['event']}", {"leads": {given["event"]: [row]}})
        return jsonify(queued=True)

    def _incoming(self) -> Any:
        """Somebody writes in a channel: an incoming lead at first (or to a deal that is named), and a message."""
        given = request.get_json(force=True)
        name, text, origin = given.get("name", "Test Client"), given["text"], given.get("origin", "telegram")
        chat, now = str(uuid.uuid4()), self.world.now()
        with self.lock:
            uid = str(given.get("uid") or "")
            number = self.world.unsorted[uid]["leads"][0] if uid else int(given.get("lead") or 0)
            if uid:
                self.desk.say_unsorted(uid, text)
            elif number not in self.world.records["leads"]:
                told = {
                    "client": {"name": name, "id": "1000000001"},
                    "service": origin,
                    "data": {"0": {"id": "1", "date": now, "text": text}},
                }
                told["origin"] = {"provider": "amojo", "chat_id": chat}
                made = self.desk.unsorted("chats", {
                    "source_name": origin, "source_uid": f"amojo:{origin}:{chat}", "metadata": told,
                    "_embedded": {"leads": [{"name": f"{name} ({origin})"}], "contacts": [{"name": name}]},
                })  # fmt: skip
                uid, number = made["uid"], made["_embedded"]["leads"][0]["id"]
            lead = self.world.records["leads"][number]
            people = self.world.linked("leads", lead["id"], "contacts")
            message = {
                "id": str(uuid.uuid4()), "chat_id": chat, "talk_id": self.world.next_id(), "text": text,
                "created_at": now,
                "contact_id": people[0]["id"] if people else None, "element_type": 2, "entity_type": "lead",
                "element_id": lead["id"], "entity_id": lead["id"], "type": "incoming", "origin": origin,
                "author": {"id": str(uuid.uuid4()), "type": "external", "name": name},
            }  # fmt: skip
            self.hooks.tell("message", "add", [message])
        return jsonify(uid=uid, lead=lead["id"], message=message["id"])

    def _channel(self) -> Any:
        self.amojo.url = request.get_json(force=True)["url"]
        return jsonify(url=self.amojo.url)

    def _answer(self) -> Any:
        given = request.get_json(force=True)
        user = next(one for one in self.world.users if one["id"] == int(given.get("user") or ADMIN))
        status = self.amojo.write(given["conversation"], given["text"], user, given.get("media", ""))
        return jsonify(status=status)

    def _disconnect(self) -> Any:
        url = request.get_json(force=True)["url"]
        self.access.tokens.clear()
        self.access.refreshes.clear()
        self.access.long_lived.clear()
        signature = hmac.digest(CLIENT_SECRET.encode(), f"{CLIENT_ID}|{ACCOUNT_ID}".encode(), "sha256").hex()
        query: dict[str, str | int] = {"account_id": ACCOUNT_ID, "client_uuid": CLIENT_ID, "signature": signature}
        return jsonify(status=requests.get(url, params=query, timeout=5).status_code)

    def _unblock(self) -> Any:
        self.is_blocked, self._refused = False, 0
        return jsonify(blocked=False)

    def _expire(self) -> Any:
        self.access.expire()
        return jsonify(expired=True)


__all__ = ["HOOK_SECRET", "SUBDOMAIN", "AmoCrmSandbox"]
