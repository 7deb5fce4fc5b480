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
        "backward": "{status} comes before {known}, which it has passed; kept in the history, not applied",
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
        # how the person was found
        "match_none": "nothing in it names a human",
        "match_new": "nobody was known by its {kinds}: person {person} is new",
        "match_key": "same {kind} {value} as person {person}",
        "match_linked": "its contact was made for person {person}",
        "match_name": "the name differs: {said}, known as {known}",
        "match_left": "{kind} {value} is left out: {why}",
        "left_listed": "it is listed as nobody's",
        "left_placeholder": "it only fills the field",
        "left_same_digit": "one digit over and over",
        "left_not_valid": "there is none like that",
        "left_too_many": "the contact has too many",
        "left_unverified": "anybody can write there what they like",
        "left_full": "the person has too many of these already",
        "left_human": "you said that it names nobody",
        "left_use": "too many people came through it",
        "match_joined": "{kind} is of person {person}, {other_kind} of person {other}: they are one",
        "match_conflict": "{kind} is of person {person}, {other_kind} of person {other}, but their {differ} differ: "
                          "a human decides (hub people suspects)",
        "match_unverified": "{kind} is of person {person}, {other_kind} of person {other}; that {connection} says so "
                            "joins nobody (people.unverified)",
        "match_not_auto": "{kind} is of person {person}, {other_kind} of person {other}; people.merge.auto joins by "
                          "other keys: a human decides (hub people suspects)",
        "match_never": "{kind} is of person {person}, {other_kind} of person {other}, who are kept "
                       "apart by a human's word",
        "match_likely": "likely person {person} too: same {kind}; that proves nothing",
        "match_human": "joined by hand",
        "match_accepted": "joined by hand: suspects {suspect}",
        "suspect_alike": "like names ({score} of 100) and {kind} {value} beside {other}",
        "nobody_use": "{count} keys of others came through it",
        "nobody_human": "said by hand",
        "carried_merge": "contact {ids} is one with {into} now",
        "merge_undone": "the two persons were parted again meanwhile",
        "merge_not_done": "the contacts were never merged: there is nothing to give back",
        "merged_again": "the persons have become one again meanwhile",
        "carried_part": "the contact is back: {ids}",
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
        "erased": "erased: the person it was about wished so",
        "replayed": "waits to be read once more: a person wants it",
        "again": "waits to be read once more and acted upon as if it came now: a person wants it",
        "optional_failed": "failed, but the step is optional: {why}",
        "found_by_marker": "the earlier try had taken effect: found by its marker",
        "assumed_done": "nobody can tell whether the earlier try took effect; assumed done, as its action declares",
        "uncertain_park": "nobody can tell whether the earlier try took effect: {why}",
        "undone": "taken back: {fields}",
        "undone_in_part": "taken back: {fields}; changed by others meanwhile and left alone: {left}",
        "undo_nothing": "nothing to take back; changed by others meanwhile: {left}",
        "undo_deleted": "{record} {id}, which the hub had made, is deleted",
        "undo_not_deleted": "{record} {id} was changed by others since the hub made it ({fields}): not deleted",
        "attached": "joined to {record} {id} as {how}",
        # syncs
        "sync_off": "sync {sync} isn't under way: hub sync plan {sync}, then hub sync start {sync}",
        "sync_paused": "sync {sync} is paused; the record waits in its backlog",
        "sync_reading": "sync {sync} is just reading both sides; the record waits in its backlog",
        "sync_agreed": "nothing that the sync carries has changed: both sides agree",
        "sync_same": "both sides say the same; nothing written",
        "sync_with": "carried together with event {event}",
        "sync_made": "made as the twin of its record",
        "sync_closed": "{record} was deleted, so its twin was closed",
        "sync_alone": "this {record} has no twin",
        "sync_left": "its twin {other} stays as it is, and is carried no more (deleted: ignore)",
        "sync_freed": "its twin {other} is free: its next change makes it anew (deleted: unlink)",
        "sync_gone": "one of {one} and {other} was deleted; the pair is carried no more",
        "sync_lost": "its twin {record} no longer exists; the pair is carried no more",
        "sync_stopped": "{one} and {other} were written round and round; stopped: hub sync resume {sync} {one}",
        "sync_circle": "{one} and {other} were written {count} times within a minute: stopped as a circle",
        "sync_twice": "{record} {id} is a double of {record} {first}, which has {other} for its twin already",
        "sync_not_carried": (
            "sync {sync} no longer carries {record}s from {here} to {there} (hub.yaml); once it does again: "
            "hub sync start {sync} --again"
        ),
        "sync_notes": "{notes}",
        "plan_create": "{there} has no such {record}",
        "plan_update": "known by {by}; to be written: {what}",
        "plan_same": "known by {by}; both sides say the same",
        "plan_double": "a double of {record} {first}: {other} answers to both ({by})",
        "plan_double_here": "a double of {record} {first} at {here}",
        "plan_over": "its twin {other} at {there} is carried no more (hub sync show tells why)",
        "plan_unread": "its twin {other} wasn't found at {there}",
        "note_conflict": "{field} was changed on both sides: {won_by}'s {won} stays ({rule}); {lost_by} had {lost}",
        "note_unmapped": "{field}: nothing on the other side stands for {value}",
        "note_backward": "{field} would go back from {stays} to {value}; it stays",
        # waits
        "retry": "{why}",
        "store_trouble": "the hub's own database failed here: {why}",
        "rate_limited": "the vendor wants us slower: {why}",
        "limit": "the vendor wants us slower: {why}",
        "hold": "the vendor lets no call through: {why}",
        "lost": "another worker took this over",
        "lease_lost": "another worker took this over",
        "settle": "an earlier try may have taken effect; looking again when a search would surely show it",
        "auth_failed": "the vendor lets no call through: {why}",
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
        # what hub.yaml names and the vendor's account no longer has so
        "drift_deleted": "{kind} {old_code} ({label}) was deleted",
        "drift_replaced": "{kind} {label} was renamed from {old_code} to {new_code}",
        "drift_retyped": "{kind} {old_code} ({label}) was retyped from {old_type} to {new_type}",
        "drift_relabelled": "{kind} {old_code} was renamed from {label} to {new_label}",
        "drift_refused": "the vendor refused {field}: {why}",
        "drift_parked": "waited {hours:.0f} h: {why}",
        "part_replayed": "{count} left out before, sent now that the line of hub.yaml works again",
        "mend_candidate": (
            'Write {new_code} ("{new_label}") in place of {old_code} at {place} and restart the hub; '
            "what was left out is then sent by itself"
        ),
        "mend_code": (
            "Take {old_code} out at {place}, or name another there (hub names {connection}), and restart the hub; "
            "what was left out is then sent by itself"
        ),
        "mend_type": (
            "Edit {place} so that it gives what the vendor now wants and restart the hub; "
            "if it does already: hub drift accept {connection} {old_code}"
        ),
        "mend_nothing": "Nothing has to be done; this alert closes by itself in a week",
        # what a reconciliation has found, and how it was repaired
        "differs_missed_hook": "made or edited at the vendor, and no message of it came ({fields})",
        "differs_edited_both": "edited on both sides, and no message of it came ({fields})",
        "differs_corrupted": "{fields}: not what it was, though the vendor says that nobody has edited it",
        "differs_failed": "d{delivery} is {state} ({fields} differ from the twin)",
        "differs_left": "never carried to its twin ({fields})",
        "differs_never_linked": "has no twin at {there}, though sync {sync} should have given it one",
        "differs_deleted": "no longer exists at {connection}, and no message of it came",
        "reconcile_failed": "the comparison can't go on: {why}",
        "mend_hint": "read and acted upon as if its message had come (e{event})",
        "mend_twin": "sync {sync} writes the twin's value again ({fields})",
        "mend_carry": "handed to sync {sync}",
        "mend_retry": "d{delivery} goes out again",
        # alerts
        "alert_auth": "{connection}: the vendor lets no call through ({why}). All its calls wait.",
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
        "alert_ledger": "{connection}: {received} requests and what goes on with them came in on {day}, "
        "{accounted} are accounted for",
        "alert_nobody": "{kind} {value} stands for {count} people, so it names nobody any more; their "
                        "messages were sorted anew",
        "alert_shared": "{count} different {kinds}s came with {kind} {value}, "
                        "which {connection} has on somebody's card",
        "alert_keys": "person {person} has {count} of {kinds} already; further ones are not learned: who gives one of "
                      "those alone is a new person",
        "alert_contacts": "{connection}: person {person} has several contacts there: {contacts}",
        "alert_redis": "Redis is away: slower, nothing is lost",
        "alert_deleted": (
            "{connection}: {count} of {known} {record}s are no longer found; too many for one night: nothing was done"
        ),
        "alert_reconcile": "reconciliation of {names}: {count} differences remain ({causes})",
        "alert_drift_deleted": "{connection}: {kind} {old_code} ({label}) was deleted. Paused: {lines}",
        "alert_drift_replaced": (
            "{connection}: {kind} {label} was renamed from {old_code} to {new_code}. Paused: {lines}"
        ),
        "alert_drift_retyped": (
            "{connection}: {kind} {old_code} ({label}) was retyped from {old_type} to {new_type}. Paused: {lines}"
        ),
        "alert_drift_relabelled": (
            "{connection}: {kind} {old_code} was renamed from {label} to {new_label}; "
            "hub.yaml goes by its code, so nothing stops ({lines})"
        ),
        "alert_drift_refused": (
            "{connection}: {lines}: the vendor refused {field}: {why}. The rest was written without it"
        ),
        "alert_sync": "sync {sync}: {one} and {other} were written {count} times within a minute; this pair is stopped",
        "alert_sync_double": "{connection}: {record} {id} was made twice for one record of the other side",
    },
}  # fmt: skip

#: what to do about an alert: words, and the named command that does it; `kind.remedy` where an error names which
REMEDIES: dict[str, str] = {
    "alert_auth": "Put working credentials into .env and restart the hub (a new consent needs no restart)",
    "alert_auth.right": "Have an administrator at the vendor grant the missing right, then: hub resume {connection}",
    "alert_auth.support": (
        "Write to the vendor's support; no credentials and no setting help. Calls go on by themselves once it is lifted"
    ),
    "alert_auth.payment": "Pay for the account at the vendor. Calls go on by themselves; now: hub resume {connection}",
    "alert_auth.address": "Let this server's address in, in the vendor's settings, then: hub resume {connection}",
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
    "alert_ledger": "hub ledger --day {day} shows what is there; was something deleted from the database by hand?",
    "alert_nobody": "Look: hub people nobody list. If it is one human's after all: hub people nobody remove {value}",
    "alert_shared": (
        "Whose is it? One human's, and strangers write it into a form: name that under people, unverified in hub.yaml. "
        "An office's: hub people nobody add {value}"
    ),
    "alert_keys": (
        "Look what they came through: hub people show {person}. A mailbox or number of many names nobody: "
        "hub people nobody add KEY"
    ),
    "alert_contacts": (
        "Look: hub people show {person}. Join them in the CRM; `people: merge` in hub.yaml lets the hub do it by itself"
    ),
    "alert_redis": "Start Redis again; hub run restarts its own",
    "alert_deleted": (
        "Look first whether the account of {connection} may still see every {record}: its rights, its token, a new "
        "filter. If they are truly deleted: hub reconcile {names} --repair acts upon them"
    ),
    "alert_reconcile": "See which and why: hub reconcile {names}; hub explain RECORD tells the rest",
    "alert_drift_deleted": "{remedy}",
    "alert_drift_replaced": "{remedy}",
    "alert_drift_retyped": "{remedy}",
    "alert_drift_relabelled": "{remedy}",
    "alert_drift_refused": "Edit {lines} so that it gives what the vendor takes, and restart the hub: hub drift list",
    "alert_sync": (
        "See who answers whom: hub explain {one}, hub explain {other}; mend it, then: hub sync resume {sync} {one}"
    ),
    "alert_sync_double": "Merge the two in {connection}: hub explain {record}:{id} tells where it came from",
}


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"({key})"


def say(code: str, params: Mapping[str, Any] | None = None, language: str = "en") -> str:
    """Return a reason in words; an unknown code reads as itself with its parameters."""
    text = TEXTS.get(language, TEXTS["en"]).get(code) or TEXTS["en"].get(code)
    if text is None:
        return f"{code} {dict(params or {})}" if params else code
    if params and isinstance(params.get("notes"), list):
        notes = [say(f"note_{one.get('why')}", one, language) for one in params["notes"]]
        params = {**params, "notes": "; ".join(notes)}
    if params and code == "match_left":
        params = {**params, "why": say(f"left_{params.get('why')}", None, language)}
    try:
        return text.format_map(_Lenient(params or {}))
    except (ValueError, TypeError):
        return f"{code} {dict(params or {})}"


def say_stored(reason: Any, language: str = "en") -> str:
    """Return the words for a reason as the store keeps it: {"code", "params", "also"?: [reasons]}; "" for none."""
    if not reason:
        return ""
    words = say(reason.get("code", ""), reason.get("params"), language)
    return "; ".join([words, *(say_stored(one, language) for one in reason.get("also") or ())])


def stored(code: str, **params: Any) -> dict[str, Any]:
    """Return a reason in the form the store keeps."""
    return {"code": code, "params": params}


def remedy(code: str, params: Mapping[str, Any]) -> str:
    """Return what to do about an alert; where its parameters name one of several remedies, that one."""
    text = REMEDIES.get(f"{code}.{params.get('remedy')}") or REMEDIES.get(code, "")
    return text.format_map(_Lenient(params))
