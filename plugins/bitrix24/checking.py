"""Looking after a connection: is everything as `hub.yaml` says, and what are the portal's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from hub import normal
from hub.connector import ConnectionInfo, Named
from hub.errors import AuthFailed, HubError, Refused
from hub.model import Finding
from plugins.bitrix24 import codes, inventory
from plugins.bitrix24.chat_checking import ChatChecking
from plugins.bitrix24.client import Client
from plugins.bitrix24.mentioned import Mentioned, guess

_OF_ITEM = re.compile(r"ufCrm|parentId")
#: where the boards of smart processes stand among the others
_AFTER_DEALS = 1_000_000


class Checking:
    """Questions to a portal that change nothing, and the one act of subscribing to events."""

    def __init__(self, client: Client, settings: Mapping[str, Any], connection: ConnectionInfo) -> None:
        self._client, self._settings, self._connection = client, settings, connection
        self._chats = ChatChecking(client, settings, connection)

    @property
    def _wanted(self) -> tuple[str, ...]:
        """The events this connection wants to be told."""
        return (*codes.SUBSCRIBE, *(codes.SUBSCRIBE_CHATS if self._settings["openlines"] else ()))

    # --- hub check --live ------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        """Return what was found, the worst first problem ending the rest: without access nothing else can be asked."""
        try:
            found = [self._who()]
        except AuthFailed as error:
            remedy = 'the plugin\'s README, part "Set up": make a new webhook or install the app'
            return [Finding("problem", error.reason, remedy)]
        for ask in (self._scopes, self._fields, self._stages, self._mentions, self._events, self._chats.check):
            try:
                found += ask()
            except HubError as error:
                found.append(Finding("warning", f"could not be checked: {error.reason}"))
        return found

    def _who(self) -> Finding:
        profile = self._client.call("profile")
        name = " ".join(str(profile.get(key) or "") for key in ("NAME", "LAST_NAME")).strip()
        who = f"acts as {name or 'employee'} (id {profile.get('ID')})"
        if profile.get("ADMIN") in (True, "Y", "1", 1):
            return Finding("ok", f"{who}, an administrator")
        return Finding(
            "warning",
            f"{who}, not an administrator: records hidden from them don't exist for the hub",
            "let an administrator make the webhook, or give that employee access to all leads, deals and contacts",
        )

    def _scopes(self) -> list[Finding]:
        granted = {str(word).strip().lower() for word in self._client.call("scope") or []}
        found = []
        chats = codes.CHAT_SCOPES if self._settings["openlines"] and not self._settings["webhook_url"] else {}
        for scope, purpose in {**codes.NEEDED_SCOPES, **chats}.items():
            if any(word == scope or word.startswith(f"{scope}_") for word in granted):
                continue
            level = "problem" if scope == "crm" else "warning"
            remedy = f"open the webhook (or app) in the portal, tick `{scope}`, save"
            found.append(Finding(level, f"permission `{scope}` is missing: {purpose}", remedy))
        return found or [Finding("ok", f"permissions: {', '.join(sorted(granted))}")]

    def _fields(self) -> list[Finding]:
        wanted = self._connection.names.get("fields", {})
        if not wanted:
            return []
        known = self.fields | self._item_fields
        found = []
        for word, code in wanted.items():
            homes = [f"{kind} ({row.get('type', '?')})" for kind, rows in known.items() if (row := rows.get(code))]
            if homes:
                found.append(Finding("ok", f"field {word} = {code}: {', '.join(homes)}"))
                continue
            every = {name for rows in known.values() for name in rows}
            found.append(Finding("problem", f"field {word} = {code} doesn't exist in the portal", guess(code, every)))
        return found

    def _stages(self) -> list[Finding]:
        wanted = self._connection.names.get("stages", {})
        if not wanted:
            return []
        known = {row["STATUS_ID"]: row for row in self._stage_rows()}
        found = []
        for word, code in wanted.items():
            plain = codes.plain_stage(code)
            if plain not in known:
                found.append(Finding("problem", f"stage {word} = {code} doesn't exist", guess(code, known)))
            elif plain != code:
                remedy = f"write {word}: {plain}, or conditions on {word} will never hold"
                found.append(Finding("warning", f"stage {word} = {code}: pipeline 0 has no prefix", remedy))
            else:
                found.append(Finding("ok", f"stage {word} = {code}: {known[code].get('NAME')}"))
        return found

    def _mentions(self) -> list[Finding]:
        wanted = self._connection.mentions
        if not wanted:
            return []
        return Mentioned(self.fields | self._item_fields, self._statuses, self._connection.names).findings(wanted)

    def _events(self) -> list[Finding]:
        address = f"{self._connection.base_url.rstrip('/')}/in/{self._connection.name}"
        found = []
        if self._settings["client_id"]:
            ours = self._bound(address)
            # with a webhook for the calls the portal's other events may come through an outgoing webhook
            wanted = [
                event for event in self._wanted if not self._settings["webhook_url"] or event in codes.SUBSCRIBE_CHATS
            ]
            missing = [event for event in wanted if event not in ours]
            if missing:
                words = f"not subscribed to {len(missing)} events, {missing[0]} among them"
                found.append(Finding("problem", words, f"run `hub connect {self._connection.name}`"))
            elif ours:
                found.append(Finding("ok", f"subscribed to {len(ours)} events"))
        if not self._settings["application_token"] and not self._settings["client_id"]:
            words = "application_token isn't set: every event is turned away"
            found.append(Finding("problem", words, "copy the token of the outgoing webhook into hub.yaml"))
        elif self._settings["webhook_url"] and not self._settings["client_id"]:
            words = f"an outgoing webhook must point at {address}; the portal doesn't let a webhook look that up"
            found.append(Finding("note", words, "see that it does: Applications > Developer resources > Other"))
        return found

    # --- hub names -------------------------------------------------------------------------------

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Return fields, stages and employees by a readable word: {word: (code, label)}."""
        fields: list[tuple[str, str]] = []
        for rows in self.fields.values():
            fields += [(code, _label(code, row)) for code, row in rows.items() if code.startswith("UF_")]
        pipelines = self._pipelines()
        stages = []
        for row in self._stage_rows():
            code = str(row["STATUS_ID"])
            record = codes.record_of_directory(str(row.get("ENTITY_ID")))
            home = pipelines.get(codes.pipeline_of(code), "deal") if record == "deal" else record
            stages.append((code, f"{home}: {row.get('NAME')}"))
        users = [
            (str(row["ID"]), " ".join(str(row.get(key) or "") for key in ("NAME", "LAST_NAME")).strip())
            for row in self._client.call("user.get", {"FILTER": {"ACTIVE": True}}) or []
            if isinstance(row, Mapping) and row.get("ID")
        ]
        return {
            kind: normal.worded((code, label, label) for code, label in rows)
            for kind, rows in (("fields", fields), ("stages", stages), ("users", users))
        }

    def inventory(self) -> list[Named]:
        """Return fields with their types, stages with their pipelines, pipelines and employees."""
        known = inventory.fields(self.fields | self._item_fields)
        return [*known, *inventory.stages(self._stage_rows(), self._pipelines()), *inventory.users(self._client)]

    @cached_property
    def fields(self) -> dict[str, dict[str, Any]]:
        """Return the fields of each kind of record with their types (crm.deal.fields and its likes)."""
        batch = self._client.batch({kind: (f"crm.{kind}.fields", {}) for kind in codes.ENTITIES})
        return {kind: batch.take(kind) for kind in codes.ENTITIES}

    @cached_property
    def _item_fields(self) -> dict[str, dict[str, Any]]:
        """Return {"item": the fields of all smart processes and invoices}; {} where nothing in hub.yaml is theirs."""
        named = [code for code in self._connection.names.get("fields", {}).values() if _OF_ITEM.match(code)]
        if not named and not any(one.record == "item" for one in self._connection.mentions):
            return {}
        kinds = [
            str(row["ID"])
            for row in self._client.call("crm.enum.ownertype") or []
            if str(row.get("SYMBOL_CODE")).startswith(codes.ITEM_KINDS)
        ][: codes.PAGE]
        batch = self._client.batch({f"t{kind}": ("crm.item.fields", {"entityTypeId": kind}) for kind in kinds})
        found: dict[str, Any] = {"entityTypeId": {"type": "integer"}}
        for kind in kinds:
            result = batch.get(f"t{kind}")
            found |= result.get("fields", {}) if isinstance(result, Mapping) else {}
        return {"item": found}

    @cached_property
    def _statuses(self) -> list[dict[str, Any]]:
        return list(self._client.call("crm.status.list", {"order": {"SORT": "ASC"}}))

    def _stage_rows(self) -> list[dict[str, Any]]:
        stages = [row for row in self._statuses if codes.record_of_directory(str(row.get("ENTITY_ID")))]
        return sorted(stages, key=_board)  # sorted is stable: within a board the portal's order stays

    def _pipelines(self) -> dict[str, str]:
        result = self._client.call("crm.category.list", {"entityTypeId": 2})
        rows = result.get("categories") if isinstance(result, Mapping) else None
        return {str(row["id"]): str(row["name"]) for row in rows or []}

    def stage_order(self, directory: str) -> list[str]:
        """Return the stages of one pipeline (its directory: DEAL_STAGE_5) in the order of the board."""
        rows = self._client.call("crm.status.list", {"filter": {"ENTITY_ID": directory}, "order": {"SORT": "ASC"}})
        ordered = sorted(rows or [], key=lambda row: int(row.get("SORT") or 0))
        return [str(row["STATUS_ID"]) for row in ordered]

    def _queued(self, event: str) -> bool:
        """Tell whether an event is fetched from the portal's queue. It keeps one row per record, so that of two answers
        of an operator one would be lost: chats are always told at once."""
        return self._settings["events"] == "offline" and event not in codes.SUBSCRIBE_CHATS

    def _bound(self, address: str) -> set[str]:
        """Return the events that reach the hub already, each in the way it should."""
        found = set()
        for row in self._client.call("event.get") or []:
            event = str(row.get("event", "")).upper() if isinstance(row, Mapping) else ""
            if event and (str(row.get("offline")) == "1" if self._queued(event) else row.get("handler") == address):
                found.add(event)
        return found

    # --- hub connect -----------------------------------------------------------------------------

    def connect(self, callback_url: str) -> list[Finding]:
        """Subscribe the app to the events the hub reads; a webhook can't, a person must click then.

        https://apidocs.bitrix24.ru/api-reference/events/event-bind.html
        """
        if not self._settings["client_id"]:
            remedy = f"Developer resources > Other > Outgoing webhook, handler {callback_url} (README)"
            return [Finding("warning", "only an app can subscribe to events by itself", remedy)]
        bound = self._bound(callback_url)
        found, made = [], 0
        for event in self._wanted:
            if event in bound:
                continue
            params = {"event": event, "handler": callback_url}
            if self._queued(event):
                params = {"event": event, "event_type": "offline"}
            try:
                self._client.call("event.bind", params)
                made += 1
            except Refused as error:
                found.append(Finding("warning", f"{event}: {error.reason}", "does the app have this permission?"))
        done = Finding("ok", f"{made} events subscribed, {len(bound)} were already")
        return [done, *found, *self._chats.connect()]


# --- words -------------------------------------------------------------------------------------------


def _board(row: Mapping[str, Any]) -> int:
    """Return where a stage's board stands: leads, then the pipelines by their number, then smart processes."""
    directory = str(row.get("ENTITY_ID"))
    if codes.record_of_directory(directory) == "item":
        return _AFTER_DEALS
    return -1 if directory == "STATUS" else int(directory.removeprefix("DEAL_STAGE").strip("_") or 0)


def _label(code: str, row: Any) -> str:
    row = row if isinstance(row, Mapping) else {}
    return str(row.get("formLabel") or row.get("listLabel") or row.get("title") or code)
