"""Looking after a connection: is everything as `hub.yaml` says, what are the account's own words, `hub connect`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from hub.connector import ConnectionInfo, Mention
from hub.errors import AuthFailed, HubError, Refused
from hub.model import Finding
from hub.normal import worded
from plugins.amocrm import codes, records
from plugins.amocrm.chats import Chats
from plugins.amocrm.client import Client, embedded
from plugins.amocrm.directory import Directory
from plugins.amocrm.watching import Watching

_KINDS = ("deal", "contact", "company")
#: what to do where nothing lets us in, by `AuthFailed.remedy`
_REMEDIES: Mapping[str, str] = {
    "credentials": "README, part Set up: a new token, or consent once more",
    "right": "let an administrator make the token, of a user who is switched on",
    "support": "write to amoCRM's support: no token and no setting lifts it; the hub goes on by itself then",
    "payment": "pay for the account: what waits goes on by itself",
    "address": "Settings > Security in the account: let this server's address in",
}
#: a custom field, by its id or code
_CUSTOM = re.compile(r"\d{3,12}|[A-Z_][A-Z0-9_]+")


class Checking:
    """Questions to an account that change nothing, and the one act of registering the hub there."""

    def __init__(
        self, client: Client, directory: Directory, watching: Watching, chats: Chats, settings: Mapping[str, Any],
        connection: ConnectionInfo,
    ) -> None:  # fmt: skip
        self._client, self._directory, self._watching, self._chats = client, directory, watching, chats
        self._settings, self._connection = settings, connection

    # --- hub check --live ------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        """Return what was found; without access nothing else can be asked."""
        self._directory.forget()
        try:
            found = self._account()
        except AuthFailed as error:
            return [Finding("problem", error.reason, _REMEDIES[error.remedy])]
        for ask in (self._user, self._fields, self._stages, self._routes, self._marker, self._hooks, self._channel):
            try:
                found += ask()
            except HubError as error:
                found.append(Finding("warning", f"could not be checked: {error}"))
        return found

    def _account(self) -> list[Finding]:
        account = self._directory.account()
        number, name = str(account.get("id") or ""), str(account.get("name") or "")
        found = [Finding("ok", f"account {name} (id {number})")]
        pinned = self._settings["account_id"]
        if pinned and pinned != number:
            found.append(
                Finding("problem", f"account_id is {pinned}, the account's is {number}", f"account_id: {number}")
            )
        elif not pinned:
            found.append(Finding("ok", f'account_id: "{number}" in hub.yaml turns webhooks of other accounts away'))
        if account.get("is_api_filter_enabled") is False:
            found.append(Finding("warning", "the account's API filters are off: searching takes more calls"))
        return found

    def _user(self) -> list[Finding]:
        me = str(self._directory.account().get("current_user_id") or "")
        try:
            row = self._directory.users().get(me) or {}
        except Refused:
            row = {}
        rights = records.inner(row.get("rights"))
        who = f"acts as {row.get('name') or 'user'} (id {me})"
        if rights.get("is_admin"):
            return [Finding("ok", f"{who}, an administrator")]
        words = f"{who}, not an administrator: webhooks and users can't be read, records may be hidden"
        return [Finding("warning", words, "let an administrator make the token")]

    def _fields(self) -> list[Finding]:
        wanted = self._connection.names.get("fields", {})
        if not wanted:
            return []
        known = {kind: self._directory.fields(kind) for kind in _KINDS}
        found = []
        for word, code in wanted.items():
            homes = [f"{kind} ({rows[code].type}, {rows[code].name})" for kind, rows in known.items() if code in rows]
            if homes:
                found.append(Finding("ok", f"field {word} = {code}: {', '.join(homes)}"))
                continue
            labels = {one.name: one.id for rows in known.values() for one in rows.values()}
            near = difflib.get_close_matches(word, list(labels), 1, 0.6)
            hint = (
                f"did you mean {labels[near[0]]} ({near[0]})?"
                if near
                else f"`hub names {self._connection.name}` prints them"
            )
            found.append(Finding("problem", f"field {word} = {code} doesn't exist in the account", hint))
        return found

    def _stages(self) -> list[Finding]:
        wanted = self._connection.names.get("stages", {})
        if not wanted:
            return []
        known = self._directory.stages()
        found = []
        for word, code in wanted.items():
            if code in known:
                found.append(Finding("ok", f"stage {word} = {code}: {known[code].pipeline_name}, {known[code].name}"))
                continue
            pairs = [one for one in known if one.endswith(f"/{code}")] or difflib.get_close_matches(
                code, list(known), 1, 0.6
            )
            hint = (
                f"did you mean {pairs[0]}? A stage is written pipeline/status" if pairs else "`hub names` prints them"
            )
            found.append(Finding("problem", f"stage {word} = {code} doesn't exist", hint))
        return found

    def _routes(self) -> list[Finding]:
        """Look for what routes name and the account hasn't; what stands under `names` has been looked at already."""
        named = {kind: set(self._connection.names.get(kind, {}).values()) for kind in ("fields", "stages")}
        found = []
        for one in self._connection.mentions:
            if one.kind == "stage" and one.record == "deal":
                found += self._stage_named(one, one.code in named["stages"])
            elif one.kind == "field" and one.code not in named["fields"] and self._lacks(one.record, one.code):
                words = f"{one.place}: {one.record}s have no field {one.code}"
                found.append(Finding("problem", words, f"`hub names {self._connection.name}` prints them"))
        return found

    def _lacks(self, record: str, code: str) -> bool:
        """Tell a custom field that this kind of record hasn't; the records' own fields are known."""
        return record in _KINDS and bool(_CUSTOM.fullmatch(code)) and code not in self._directory.fields(record)

    def _stage_named(self, one: Mention, looked_at: bool) -> list[Finding]:
        known = self._directory.stages()
        if one.code not in known:
            pairs = [code for code in known if code.endswith(f"/{one.code}")]
            hint = f"did you mean {pairs[0]}?" if pairs else "a stage is written pipeline/status"
            return [] if looked_at else [Finding("problem", f"{one.place}: there is no stage {one.code}", hint)]
        others = {known[code].pipeline for code in one.beside if code in known}
        if others and known[one.code].pipeline not in others:
            name = known[one.code].pipeline_name
            words = f"{one.place}: stage {one.code} is of pipeline {name}, the route's others aren't"
            return [Finding("warning", words, "is it the stage of the right pipeline?")]
        return []

    def _marker(self) -> list[Finding]:
        missing = [kind for kind in _KINDS if not self._directory.marked(kind)]
        if not missing:
            return [Finding("ok", f"what the hub makes is marked in the field {codes.MARKER}")]
        words = f"{', '.join(missing)}: no field {codes.MARKER}; after a lost answer the hub looks by name and contact"
        return [Finding("warning", words, f"hub connect {self._connection.name}")]

    def _hooks(self) -> list[Finding]:
        if not self._settings["hook_secret"]:
            return [Finding("problem", "hook_secret isn't set: every webhook is turned away", "make up a long word")]
        hook = self._watching.registered()
        if hook is None:
            words = "no webhook of the hub is registered: changes are found by the poll alone"
            return [Finding("problem", words, f"hub connect {self._connection.name}")]
        if hook.get("disabled"):
            words = "the webhook is switched off: amoCRM does so after a hundred bad answers in two hours"
            return [
                Finding("problem", words, f"hub connect {self._connection.name} (the running hub puts it back itself)")
            ]
        has = set(hook.get("settings") or [])
        missing = [one for one in codes.SETTINGS if one not in has]
        if missing:
            words = f"the webhook lacks {len(missing)} events, {missing[0]} among them"
            return [Finding("warning", words, f"hub connect {self._connection.name}")]
        return [Finding("ok", f"the webhook is on, with {len(has)} events")]

    def _channel(self) -> list[Finding]:
        if not self._settings["chats"]:
            return []
        return [Finding("ok", f"chat channel {self._chats.scope}")]

    # --- hub names -------------------------------------------------------------------------------

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Return fields, stages, users and catalogs by a readable word: {word: (code, label)}."""
        fields: list[tuple[str, str]] = []
        for kind in _KINDS:
            seen = {
                one.id: one
                for one in self._directory.fields(kind).values()
                if one.code not in (*codes.MULTITEXT, codes.MARKER)
            }
            fields += [(one.id, f"{kind}: {one.name} ({one.type})") for one in seen.values()]
        stages = [(one.code, f"{one.pipeline_name}: {one.name}") for one in self._directory.stages().values()]
        people = {str(row.get("id")): str(row.get("name") or "") for row in self._directory.users().values()}
        found = {
            "fields": worded((code, label, label.partition(": ")[2].rpartition(" (")[0]) for code, label in fields),
            "stages": worded((code, label, label) for code, label in stages),
            "users": worded((code, label, label) for code, label in people.items()),
        }
        try:
            rows = self._client.rows("catalogs")
        except Refused:
            rows = []
        if rows:
            found["catalogs"] = worded((str(row.get("id")), str(row.get("name")), str(row.get("name"))) for row in rows)
        return found

    # --- hub connect -----------------------------------------------------------------------------

    def connect(self, callback_url: str) -> list[Finding]:
        """Register the webhook, make the field for the hub's marker, connect the chat channel."""
        found = [*self._watching.subscribe(callback_url)]
        for kind in _KINDS:
            try:
                found += self._make_marker(kind)
            except Refused as error:
                words = f"{kind}: no field {codes.MARKER} could be made: {error.reason}"
                found.append(Finding("warning", words, "let an administrator make the token"))
        if self._settings["chats"]:
            scope = self._chats.connect()
            found.append(Finding("ok", f"the chat channel is connected: {scope}"))
            found.append(Finding("ok", f"the channel's webhook, to be told to support: {callback_url}/:scope_id"))
        return found

    def _make_marker(self, kind: str) -> list[Finding]:
        if self._directory.marked(kind):
            return []
        body = [{"name": "Hub", "code": codes.MARKER, "type": "text", "is_api_only": True, "sort": 999}]
        rows = embedded(self._client.post(f"{codes.ENTITIES[kind].path}/custom_fields", body), "custom_fields")
        self._directory.forget()
        return [Finding("ok", f"{kind}: made the field {codes.MARKER} (id {rows[0].get('id') if rows else '?'})")]
