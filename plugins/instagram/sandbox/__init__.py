"""A stand-in of Instagram's part of the Graph API: both logins' tokens, chats, comments, subscriptions, webhooks.

    with InstagramSandbox().start() as instagram:
        instagram.sandbox.credentials()          # settings of a connection
        instagram.sandbox.write(CLIENT, "How much?")

What people do there is done by POST to `/_sandbox/<what>` with the arguments as JSON, or by the methods of that name:
`write`, `by_hand`, `comment`, `press`, `read`, `react`, `unsend`, `age`, `unsubscribe`. Handler, emit, usage, faults:
see `plugins.meta.sandbox`.
"""

from __future__ import annotations

import datetime as dt
import inspect
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, redirect, request

from plugins.instagram.codes import LOGINS, TOKEN_MIN_AGE
from plugins.instagram.sandbox import objects
from plugins.instagram.sandbox.sending import send
from plugins.instagram.sandbox.world import ACCOUNT, CLIENT, OTHER_ACCOUNT, POST, World
from plugins.meta.sandbox import APP_ID, APP_SECRET, LONG, SHORT, VERIFY_TOKEN, Call, GraphError, GraphSandbox

_DONE = ("write", "by_hand", "comment", "press", "read", "react", "unsend", "age", "unsubscribe")


class InstagramSandbox(GraphSandbox):
    """One app with two accounts. `login` says which of the two ways they are connected by."""

    vendor = "instagram"
    webhook_object = "instagram"

    def __init__(
        self, login: str = "instagram", human_agent: bool = True, clock: Callable[[], dt.datetime] | None = None
    ) -> None:
        self.login, self.human_agent = LOGINS[login], human_agent
        super().__init__(clock)

    def seed(self) -> None:
        """Make the accounts, a token for each, and codes for nobody."""
        super().seed()
        self.world = World(self.clock)
        self.codes: dict[str, str] = {}
        kind, lives = ("page", None) if self.login.tagged else ("long", LONG)
        self.access = {account: self.issue(account, kind, lives) for account in self.world.accounts}
        self.dropped: set[str] = set()

    def credentials(self) -> dict[str, str]:
        """Return what a connection needs; every secret is a fake."""
        return {
            "login": "facebook" if self.login.tagged else "instagram",
            "app_secret": APP_SECRET,
            "verify_token": VERIFY_TOKEN,
            "app_id": APP_ID,
            "access_token": self.access[ACCOUNT],
            "account_id": ACCOUNT,
            "api_url": self.base_url,
        }

    def state(self) -> dict[str, Any]:
        """Show chats, comments, subscriptions, webhooks and how long tokens live."""
        world = self.world
        return {
            "chats": [vars(chat) for chat in world.chats.values()],
            "comments": list(world.comments.values()),
            "media": list(world.media.values()),
            "actions": world.actions,
            "subscribed": world.subscribed,
            "webhooks": self.webhooks,
            "tokens": [
                {"account": one.account, "kind": one.kind, "expires": one.expires} for one in self.tokens.values()
            ],
        }

    def share_of(self) -> str:
        """Calls are counted for the account."""
        return ACCOUNT

    # --- tokens ----------------------------------------------------------------------------------------------------

    def open_path(self, path: list[str], params: dict[str, Any]) -> Any | None:
        """Consent and the token servers."""
        match (request.method, "/".join(path)):
            case ("GET", "oauth/authorize"):
                return self._authorize(params)
            case ("POST", "oauth/access_token"):
                return self._by_code(params)
            case ("GET", "oauth/access_token"):
                return self._facebook(params)
            case ("GET", "access_token"):
                return self._exchange(params)
            case ("GET", "refresh_access_token"):
                return self._refresh(params)
        return None

    def _authorize(self, params: dict[str, Any]) -> Response:
        if params.get("client_id") != APP_ID:
            raise GraphError(101, "Error validating application. Cannot get application info")
        code = f"AQ{secrets.token_hex(16)}"
        self.codes[code] = str(params.get("redirect_uri"))
        back = f"{params.get('redirect_uri')}?{urlencode({'code': code, 'state': params.get('state', '')})}#_"
        return redirect(back)  # type: ignore[return-value]

    def _by_code(self, params: dict[str, Any]) -> Any:
        code = str(params.get("code", ""))
        ours = params.get("client_id") == APP_ID and params.get("client_secret") == APP_SECRET
        if not ours or self.codes.get(code) != params.get("redirect_uri"):
            body = jsonify(
                error_type="OAuthException", code=400, error_message="Matching code was not found or was already used"
            )
            body.status_code = 400
            return body
        del self.codes[code]
        token = self.issue(ACCOUNT, "short", SHORT)
        permissions = ",".join(self.login.permissions)
        user = self.world.accounts[ACCOUNT]["app_scoped"]
        return {"data": [{"access_token": token, "user_id": user, "permissions": permissions}]}

    def _exchange(self, params: dict[str, Any]) -> Any:
        if params.get("client_secret") != APP_SECRET:
            raise GraphError(101, "Error validating client secret.")
        held = self.token(str(params.get("access_token", "")))
        if held.kind != "short":
            raise GraphError(452, "Session key invalid. This could be because the session key has an incorrect format")
        return self._fresh(held.account)

    def _refresh(self, params: dict[str, Any]) -> Any:
        held = self.token(str(params.get("access_token", "")))
        if held.kind != "long" or self.clock().timestamp() - held.issued < TOKEN_MIN_AGE:
            raise GraphError(452, "This token can't be refreshed: it must be long-lived and at least 24 hours old")
        return self._fresh(held.account)

    def _fresh(self, account: str) -> dict[str, Any]:
        return {"access_token": self.issue(account, "long", LONG), "token_type": "bearer", "expires_in": int(LONG)}

    def _facebook(self, params: dict[str, Any]) -> Any:
        if params.get("client_id") != APP_ID or params.get("client_secret") != APP_SECRET:
            raise GraphError(101, "Error validating client secret.")
        if params.get("grant_type") == "fb_exchange_token":
            held = self.token(str(params.get("fb_exchange_token", "")))
            if held.kind == "page":
                raise GraphError(1, "A user access token is required to request this resource.")
        elif self.codes.pop(str(params.get("code", "")), None) != params.get("redirect_uri"):
            raise GraphError(100, "Error validating verification code.")
        return {"access_token": self.issue(ACCOUNT, "user", LONG), "token_type": "bearer", "expires_in": int(LONG)}

    # --- the Graph -------------------------------------------------------------------------------------------------

    def graph(self, call: Call) -> Any:
        """Answer a call for one of the accounts, or about one object."""
        me = self._account(call.path[0], call.account)
        edge = call.path[1] if len(call.path) > 1 else ""
        if me and edge:
            return self._edge(call, me, edge)
        if me and call.method == "GET":
            return objects.account(self, call, me)
        answer = objects.answer(self.world, call, call.account)
        if isinstance(answer, dict) and (made := answer.pop("told", None)):
            self._tell_comment(made)  # our own answers are told like anybody's
        return answer

    def _account(self, name: str, of_token: str) -> str:
        """Return the account that `me`, an account's id or its Page's id names, "" for any other object."""
        own = self.world.accounts[of_token]
        if name in ("me", of_token, own["app_scoped"]) or (self.login.tagged and name == own["page"]):
            return of_token
        if name in self.world.accounts:
            raise GraphError(100, f"(#100) Object with ID '{name}' does not exist", 33, "GraphMethodException")
        return ""

    def _edge(self, call: Call, me: str, edge: str) -> Any:
        world = self.world
        match (call.method, edge):
            case ("POST", "messages"):
                answer, row = send(world, me, call.params, self.human_agent)
                if row is not None:
                    self._echo(me, row)
                return answer
            case ("POST", "message_attachments"):
                id = world.number("5")
                world.attachments[id] = call.params
                return {"attachment_id": id}
            case ("GET", "conversations"):
                return objects.conversations(world, me, call.params)
            case ("GET", "accounts"):
                return objects.pages(self, me)
            case ("GET", "media"):
                return {"data": objects.posts(world, call, me)}
            case ("POST", "mentions"):
                if not (call.params.get("media_id") and call.params.get("message")):
                    raise GraphError(100, "The parameters media_id and message are required")
                world.mentions.append({"id": world.number("178"), "account": me, **call.params})
                return {"id": world.mentions[-1]["id"]}
            case (_, "subscribed_apps"):
                return self._subscribed(call, me)
            case (_, "messenger_profile"):
                if call.method == "GET":
                    return {"data": [world.profile] if world.profile else []}
                world.profile = call.params if call.method == "POST" else {}
                return {"result": "success"}
            case ("POST", "pass_thread_control" | "take_thread_control"):
                world.actions.append({"account": me, "action": edge, **call.params})
                return {"success": True}
        raise GraphError(2500, f"Unknown path components: /{edge}")

    def _subscribed(self, call: Call, me: str) -> Any:
        known = self.world.subscribed
        if call.method == "POST":
            given = call.params.get("subscribed_fields")
            fields = given if isinstance(given, list) else str(given or "").split(",")
            allowed = {*self.login.fields, "messaging_optins", "mention", "messaging_seen"}
            if self.login.tagged:
                allowed -= {"messaging_seen"}
            if wrong := [field for field in fields if field not in allowed]:
                raise GraphError(100, f"(#100) Param subscribed_fields[0] must be one of {sorted(allowed)}: {wrong[0]}")
            known[me] = sorted(fields)
        elif call.method == "DELETE":
            known.pop(me, None)
        else:
            rows = [{"name": "Fake App", "id": APP_ID, "subscribed_fields": known[me]}] if me in known else []
            return {"data": rows}
        return {"success": True}

    # --- what people do --------------------------------------------------------------------------------------------

    def write(self, person: str = CLIENT, text: str = "", account: str = ACCOUNT, **message: Any) -> str:
        """A client writes; returns the mid. More parts of `message` (attachments, reply_to, ...) as they are."""
        mid = self.world.mid()
        part = {"mid": mid, **({"text": text} if text else {}), **message}
        self.world.add(account, person, person, mid, {"text": text, **message})
        self._tell_element(account, person, account, {"message": part})
        return mid

    def by_hand(self, person: str = CLIENT, text: str = "", account: str = ACCOUNT) -> str:
        """A colleague answers in the Instagram app; returns the mid."""
        row = self.world.add(account, person, account, self.world.mid(), {"text": text})
        self._echo(account, row)
        return str(row["id"])

    def comment(
        self, person: str = CLIENT, text: str = "", media: str = POST, parent: str = "", live: bool = False
    ) -> str:
        """Somebody comments a post; returns the comment's id."""
        id = self.world.number("179")
        now = self.clock()
        row = {"id": id, "from": person, "text": text, "media": media, "parent": parent, "at": now.timestamp(),
               "hidden": False}  # fmt: skip
        self.world.comments[id] = row
        self._tell_comment(row, "live_comments" if live else "comments")
        return id

    def press(self, person: str = CLIENT, title: str = "Talk to us", payload: str = "CARE") -> str:
        """A client presses a button of the menu; it opens the window like a message."""
        mid = self.world.mid()
        self.world.add(ACCOUNT, person, person, mid, {"text": title})
        self._tell_element(ACCOUNT, person, ACCOUNT, {"postback": {"mid": mid, "title": title, "payload": payload}})
        return mid

    def read(self, mid: str, person: str = CLIENT) -> None:
        """A client sees a message of ours."""
        self._tell_element(ACCOUNT, person, ACCOUNT, {"read": {"mid": mid}})

    def react(self, mid: str, person: str = CLIENT, emoji: str = "❤️") -> None:
        """A client reacts to a message."""
        reaction = {"mid": mid, "action": "react", "reaction": "love", "emoji": emoji}
        self._tell_element(ACCOUNT, person, ACCOUNT, {"reaction": reaction})

    def unsend(self, mid: str, person: str = CLIENT) -> None:
        """A client takes a message back."""
        self._tell_element(ACCOUNT, person, ACCOUNT, {"message": {"mid": mid, "is_deleted": True}})

    def age(self, person: str = CLIENT, hours: float = 25.0, account: str = ACCOUNT) -> None:
        """Let the client's last message lie so many hours back."""
        self.world.chat(account, person).heard = self.clock().timestamp() - hours * 3600

    def unsubscribe(self, account: str = ACCOUNT) -> None:
        """Meta drops the account's webhooks after an hour of failures."""
        self.world.subscribed.pop(account, None)

    def _tell_comment(self, row: dict[str, Any], field: str = "comments") -> None:
        owner = self.world.media[row["media"]]["owner"]
        value: dict[str, Any] = {
            "from": {"id": row["from"], "username": self.world.person_name(row["from"])},
            "media": {"id": row["media"], "media_product_type": "FEED"},
            "id": row["id"],
            "text": row["text"],
            **({"parent_id": row["parent"]} if row["parent"] else {}),
        }
        change = {"field": field, "value": value}
        self._tell(owner, {"id": owner, "time": int(row["at"]), "changes": [change]})

    def _echo(self, account: str, row: dict[str, Any]) -> None:
        part: dict[str, Any] = {"mid": row["id"], "is_echo": True, **({"text": row["text"]} if row.get("text") else {})}
        if attachment := row.get("attachment"):
            url = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=18000000000000001&signature=FAKE"
            part["attachments"] = [{"type": attachment["type"], "payload": {"url": url}}]
        self._tell_element(account, account, row["to"], {"message": part})

    def _tell_element(self, account: str, sender: str, recipient: str, part: dict[str, Any]) -> None:
        now = int(self.clock().timestamp() * 1000)
        element = {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": now, **part}
        self._tell(account, {"id": account, "time": now, "messaging": [element]})

    def _tell(self, account: str, entry: dict[str, Any]) -> None:
        """Send a webhook, as long as the account is subscribed: to any field at all, which is how Meta has it."""
        if account in self.world.subscribed:
            self.tell(entry)

    # --- routes ----------------------------------------------------------------------------------------------------

    def routes(self) -> None:
        """Add what people do."""
        for name in _DONE:
            self.app.add_url_rule(
                f"/_sandbox/{name}", view_func=lambda name=name: self._do(name), methods=["POST"], endpoint=f"do_{name}"
            )
        super().routes()

    def _do(self, name: str) -> Any:
        act = getattr(self, name)
        given = request.get_json(force=True, silent=True) or {}
        known = inspect.signature(act).parameters
        if name != "write" and (wrong := set(given) - set(known)):
            return jsonify(error=f"{name} knows {', '.join(known)}, not {', '.join(sorted(wrong))}"), 400
        with self.lock:
            return jsonify(id=act(**given))


__all__ = ["ACCOUNT", "CLIENT", "OTHER_ACCOUNT", "POST", "InstagramSandbox"]
