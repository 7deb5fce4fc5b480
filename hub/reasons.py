"""Every reason the hub gives, as a code with parameters, and the words for it.

One stored row reads the same in `hub explain`, in JSON and on a page, in whichever language is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        # what became of a receipt or an event
        "unreadable": "genuine, but not understood: {why}",
        "plugin_error": "the plugin failed here: {why}",
        "honeypot": "a robot filled in the field that people don't see",
        "joined": "joined into event {event}: one look at {subject} answers both",
        "echo": "the hub's own write coming back",
        "nothing_changed": "nothing changed since it was last seen",
        "late": "older than what is known already ({known}); kept in the history, not applied",
        "record_gone": "the record no longer exists at the vendor",
        "too_many_hops": "set off by the hub's own acts {hops} times in a row; stopped as a loop",
        "unrouted": "no route listens to it",
        # why a route or step did not run
        "condition": "{because}",
        "otherwise": "route \"{route}\" took it",
        "route_off": "this route can't run yet: {why}",
        "stopped": "stopped: {why}",
        "step_condition": "{because}",
        "blocked": "the person's {field} is on the list \"{table}\" (people.block)",
        # outcomes of a delivery
        "find_empty": "nothing to search by: the values of `find` are empty",
        "stage_ignored": "status {status} moves no stage here",
        "stage_same": "already in stage {stage}",
        "stage_backward": "would go back from {current} to {wanted}",
        "stage_not_from": "is in {current}; moves only from {allowed}",
        "missing_skip": "no {record} to act on; `missing: skip`",
        "missing_alert": "no {record} to act on; a person is told (`missing: alert`)",
        "missing_park": "no {record} found by {by}",
        "several_park": "{count} records fit; `several: park`",
        "no_change": "the record already says so; nothing written",
        "superseded": "a newer one for the same record is waiting (delivery {by})",
        "no_longer": "while it waited, what it was for has changed: {because}",
        "dropped": "dropped by a person",
        "replayed": "waits to be read once more: a person wants it",
        "again": "waits to be read once more and acted upon as if it came now: a person wants it",
        "optional_failed": "failed, but the step is optional: {why}",
        "found_by_marker": "the earlier try had taken effect: found by its marker",
        "assumed_done": "nobody can tell whether the earlier try took effect; assumed done, as its action declares",
        "uncertain_park": "nobody can tell whether the earlier try took effect: {why}",
        "attached": "joined to {record} {id} as {how}",
        # waits
        "retry": "{why}",
        "rate_limited": "the vendor wants us slower: {why}",
        "limit": "the vendor wants us slower: {why}",
        "hold": "the vendor doesn't accept our credentials: {why}",
        "lost": "another worker took this over",
        "lease_lost": "another worker took this over",
        "settle": "an earlier try may have taken effect; looking again when a search would surely show it",
        "auth_failed": "the vendor doesn't accept our credentials: {why}",
        "uncertain": "no readable answer came: {why}",
        "refused": "the vendor refused: {why}",
        "gone": "the record is gone at the vendor: {why}",
        "exhausted": "tried for {hours:.0f} h without success; last: {why}",
        "route_gone": "route \"{route}\" is no longer in hub.yaml",
        "mapping": "{why}",
        "paused": "the connection is paused",
        "breaker": "the vendor fails; calls are held back until it recovers",
        "connection_gone": "connection \"{connection}\" is no longer in hub.yaml",
        "waited_too_long": "waited longer than {hours:.0f} h behind another of the same record",
        # alerts
        "alert_auth": "{connection}: credentials are not accepted ({why}). All its calls wait.",
        "alert_parked": "{connection}: {count} deliveries wait for a person; last: {why}",
        "alert_unrouted": "{connection}: nothing listens to {type}",
        "alert_unreadable": "{connection}: a genuine request could not be understood: {why}",
        "alert_breaker": "{connection}: the vendor fails: {why}",
        "alert_poll": "{connection}: the poll \"{what}\" fails: {why}",
        "alert_found": "{connection}: {what}",
        "alert_stage": "{connection}: {subject} reached a status that asks for a person: {status}",
        "alert_missing": "{connection}: no {record} to act on for {subject}: route \"{route}\"",
        "alert_loop": "{connection}: {subject} is moved round and round by routes; stopped",
        "alert_disk": "the disk is almost full ({why}); new requests are turned away with 503",
        "alert_plugin": "plugin {plugin} could not be loaded: {why}",
        "alert_rejected": "{connection}: {count} requests were turned away in the last hours: {why}",
        "alert_stray": "{connection}: no such connection in hub.yaml any more, but work waits for it ({count} parked).",
        "alert_quiet": "{connection}: nothing has come in since {since}; usually about {usual} a day.",
        "alert_unread": "{count} requests have been taken and nobody reads them, for over {seconds} s",
        "alert_redis": "Redis is away: slower, nothing is lost",
    },
}  # fmt: skip

#: what to do about an alert: words, and the named command that does it
REMEDIES: dict[str, str] = {
    "alert_auth": "Put working credentials into .env and restart the hub (a new consent needs no restart)",
    "alert_parked": "Look: hub deliveries list --state parked --connection {connection}; mend the cause; hub retry ID",
    "alert_unrouted": "Add a route `on: {connection}.{type}`, or set `hub: {{unrouted: ignore}}`",
    "alert_unreadable": (
        "See hub receipts list --state unreadable. Nonsense: hub drop ID. A plugin's fault: mend it, then hub replay ID"
    ),
    "alert_breaker": "Nothing to do if the vendor is down; calls go on by themselves. Check: hub check --live",
    "alert_poll": "Check: hub check --live",
    "alert_found": "{remedy}",
    "alert_stage": "Look at the record in the CRM",
    "alert_missing": "hub explain {subject} shows what came; make or correct the {record}, then hub replay ID",
    "alert_loop": "Add a condition on what changed to one of the routes: hub explain {subject}",
    "alert_disk": "Free some disk or shorten `hub: {{keep: ...}}`",
    "alert_plugin": "hub plugins list shows the error",
    "alert_rejected": "Compare the secret at the vendor with .env: hub rejected list --connection {connection}",
    "alert_stray": "Put the connection back under its old name, then: hub retry --all --connection {connection}",
    "alert_quiet": "Look at the vendor whether its webhook is still switched on: hub check --live",
    "alert_unread": "Is a worker running, and does it move? hub run starts its own; its log says why it died",
    "alert_redis": "Start Redis again; hub run restarts its own",
}


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"({key})"


def say(code: str, params: Mapping[str, Any] | None = None, language: str = "en") -> str:
    """Return a reason in words; an unknown code reads as itself with its parameters."""
    text = TEXTS.get(language, TEXTS["en"]).get(code) or TEXTS["en"].get(code)
    if text is None:
        return f"{code} {dict(params or {})}" if params else code
    try:
        return text.format_map(_Lenient(params or {}))
    except (ValueError, TypeError):
        return f"{code} {dict(params or {})}"


def say_stored(reason: Any, language: str = "en") -> str:
    """Return the words for a reason as the store keeps it: {"code", "params"}; "" for none."""
    if not reason:
        return ""
    return say(reason.get("code", ""), reason.get("params"), language)


def stored(code: str, **params: Any) -> dict[str, Any]:
    """Return a reason in the form the store keeps."""
    return {"code": code, "params": params}


def remedy(code: str, params: Mapping[str, Any]) -> str:
    """Return what to do about an alert."""
    return REMEDIES.get(code, "").format_map(_Lenient(params))
