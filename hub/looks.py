"""The look at what a vendor's account is made of: hourly, and at each start, on a bulk line of its own.

`write` compares it with the last look (`hub.drift`), pauses the lines of hub.yaml that name what is no more, says so
in one alert per thing, and lets go what is mended: what was left out is sent again, what waited goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hub import drift, parts
from hub.connector import Connector, Named
from hub.drift import Drift, Known
from hub.model import Finding
from hub.outcome import Outcome
from hub.pauses import Left, Pauses
from hub.reasons import say, say_stored
from hub.runtime import Runtime
from hub.store import Db, state, work
from hub.store import drift as rows
from hub.work_items import Item

if TYPE_CHECKING:
    from hub.engine import Engine

#: seconds between two looks at one account
EVERY = 3600.0
#: seconds after which the news of a mere new label goes away
_NEWS = 7 * 86400.0


def has_inventory(connector: type[Connector]) -> bool:
    """Return whether a plugin can tell what its vendor's account is made of."""
    return connector.inventory is not Connector.inventory or connector.names is not Connector.names


class Look(Item):
    """Ask a vendor what the account is made of."""

    def __init__(self, db: Any, key: str, lane: str, connection: str, lease: str) -> None:
        super().__init__(db, key, lane, connection, lease)

    def call(self, engine: Engine) -> list[Named]:
        """Return the account's fields, stages, users and pipelines."""
        connector = engine.runtime.connector(self.connection)
        with connector.http.work(self.guard, 1):
            return list(connector.inventory())


def ensure_looks(db: Db, runtime: Runtime) -> None:
    """Give every account that can be looked at its line."""
    names = [name for name, one in runtime.config.connections.items() if has_inventory(one.connector)]
    work.ensure_lines(db, {f"drift:{name}": f"{name}:bulk" for name in names})


def look_at_start(db: Db, runtime: Runtime) -> None:
    """Have every account looked at now: hub.yaml may be another since the last look."""
    ensure_looks(db, runtime)
    db.run("UPDATE line SET due = ? WHERE key LIKE 'drift:%' AND lease IS NULL AND due > ?", (db.now, db.now))


# --- writing down what was seen --------------------------------------------------------------------


def write(db: Db, runtime: Runtime, connection: str, now: Sequence[Named]) -> list[str]:
    """Note what the account is made of now and what follows from it; return what the log should say."""
    known = _known(db, connection)
    named = drift.mentions(runtime.config, connection, now)
    found = {one.key: one for one in drift.judge(drift.compare(known, now), named, now, known)}
    fresh, gone = drift.updated(known, now)
    rows.remember(db, connection, fresh, gone)
    said = []
    open_ = {one.key: one for one in rows.drifts(db, connection)}
    mended = [one for key, one in open_.items() if _mended(one, found.get(key), named, now)]
    for was in mended:
        rows.close_drift(db, connection, was.key)
        state.close_alerts(db, cause_of(connection, was.key))
        said.append(f"drift {connection}: {say_stored(was.reason)}: mended")
    kept = {key: was for key, was in open_.items() if was not in mended}
    for key, one in found.items():
        reason = kept[key].reason if key in kept else one.reason()
        if one.pauses and key not in kept:
            rows.open_drift(db, connection, key, one.change.what, reason, one.said)
            said.append(f"drift {connection}: {say_stored(reason)}: pauses {', '.join(one.places)}")
        _tell(db, connection, one, reason)
    _forget_news(db)
    runtime.pauses.forget()
    paused = Pauses.read(db, connection)
    mentioned = {(one.kind, one.code) for one in named}
    planned = parts.plan(db, runtime.config, connection, paused, mentioned, runtime.marker)
    _close_refusals(db, connection)
    back = any(key in known and known[key].gone for key in map(drift.key_of, fresh))
    if mended or back:
        woken = rows.wake_held(db, connection) + rows.release_parked(db, connection)
        said += [f"drift {connection}: {woken} deliveries that waited go on"] if woken else []
    if planned.replayed or planned.superseded or planned.dropped:
        said.append(
            f"drift {connection}: {planned.replayed} values that were left out are sent again, {planned.superseded} "
            f"made old by later ones, {planned.dropped} given up (their lines are no longer in hub.yaml)"
        )
        state.count(db, {
            (connection, "parts_replayed"): planned.replayed, (connection, "parts_superseded"): planned.superseded,
            (connection, "parts_dropped"): planned.dropped,
        })  # fmt: skip
    return said


def _known(db: Db, connection: str) -> dict[drift.Key, Known]:
    return {key: Known(named, gone) for key, (named, gone) in rows.fingerprint(db, connection).items()}


def _mended(one: rows.Open, found: Drift | None, named: Sequence[Any], now: Sequence[Named]) -> bool:
    """Return whether an open drift no longer pauses: the thing is as it was, or hub.yaml was edited for it.

    A type stays another one: it is mended when the lines that name it say something else than when it began.
    """
    if one.what != "retyped":
        return found is None or found.change.what not in ("deleted", "replaced")
    if found is not None:
        return found.change.what in ("deleted", "replaced")  # it is that now, and told as such
    present = next((thing for thing in now if drift.key_of(thing) == one.key), None)
    back = present is not None and present.type == one.reason["params"].get("old_type")
    return back or drift.said_of(one.key, named) != one.said


def cause_of(connection: str, key: drift.Key) -> str:
    """Return the cause of the alert about one thing of an account."""
    return f"drift:{connection}:{':'.join(key)}"


def _tell(db: Db, connection: str, one: Drift, reason: Mapping[str, Any]) -> None:
    """Raise the alert about a drift, or bring its places up to date; looking again is no news."""
    code, params = one.remedy(connection)
    told = {
        **reason["params"], "connection": connection, "lines": ", ".join(one.places), "remedy": say(code, params),
    }  # fmt: skip
    _raise(db, cause_of(connection, one.key), drift.ALERTS[reason["code"].removeprefix("drift_")], connection, told)


def _raise(db: Db, cause: str, kind: str, connection: str, params: dict[str, Any]) -> None:
    if rows.alert_params(db, cause) != params:
        state.open_alert(db, cause, kind, connection, params)


def left_out(db: Db, runtime: Runtime, outcome: Outcome) -> list[str]:
    """Park what a finished delivery left out, tell which lines are paused, and forget what it has made old."""
    claimed, said = outcome.work, []
    known = runtime.pauses.of(claimed.connection)
    if known.parts and (old := parts.supersede(db, runtime.config, outcome)):
        said.append(f"{old} parked values of {claimed.connection} are made old by delivery id={claimed.id}")
    if outcome.left:
        parts.keep(db, outcome, runtime.config.version)
        runtime.pauses.forget()
    for one in outcome.left:
        tell_left_out(db, claimed.connection, one)
        said.append(f"delivery id={claimed.id} left out {one.field} ({one.place}): {say_stored(one.reason)}")
    return said


def tell_left_out(db: Db, connection: str, left: Left) -> None:
    """Tell that a value was left out, unless its alert is open already; what the vendor refuses is counted.

    A refusal has the account looked at: perhaps the field has just been deleted.
    """
    place = drift.short_place(left.place)
    told = {**left.reason["params"], "connection": connection, "lines": place}
    if not left.code:
        state.open_alert(db, f"refused:{connection}:{place}", "alert_drift_refused", connection, told)
        rows.look_soon(db, connection)
        return
    kind, _, code = left.code.partition(":")
    record = str(left.reason["params"].get("record", left.record))
    cause = cause_of(connection, (kind, record, code))
    if rows.alert_params(db, cause) is None:
        remedy = say("mend_code", {"connection": connection, "old_code": code, "place": place})
        state.open_alert(
            db, cause, drift.ALERTS[left.reason["code"].removeprefix("drift_")], connection, {**told, "remedy": remedy}
        )


def _close_refusals(db: Db, connection: str) -> None:
    """Close the alerts about refused values where none waits any more."""
    waiting = {drift.short_place(place) for (where, place) in rows.counts(db) if where == connection}
    for cause in rows.open_causes(db, f"refused:{connection}:"):
        if cause.removeprefix(f"refused:{connection}:") not in waiting:
            state.close_alerts(db, cause)


def _forget_news(db: Db) -> None:
    db.run(
        "UPDATE alert SET closed_at = ? WHERE closed_at IS NULL AND kind = 'alert_drift_relabelled' AND last_at < ?",
        (db.now, db.now - _NEWS),
    )


def accept(db: Db, connection: str, code: str) -> dict[str, bool]:
    """Let the lines of a retyped field go on; return whether it was found, and whether a new type was what it had."""
    fitting = [one for one in rows.drifts(db, connection) if one.key[2] == code]
    retyped = [one for one in fitting if one.what == "retyped"]
    for one in retyped:
        rows.close_drift(db, connection, one.key)
        state.close_alerts(db, cause_of(connection, one.key))
    if retyped:
        rows.look_soon(db, connection)  # it sends what was left out
    return {"found": bool(fitting), "retyped": bool(retyped)}


# --- hub check --live ------------------------------------------------------------------------------


def findings(runtime: Runtime, connection: str) -> list[Finding]:
    """Ask a vendor now and return what no longer fits hub.yaml; changes nothing, neither there nor here."""
    connector = runtime.connector(connection)
    if not has_inventory(type(connector)):
        return []
    with runtime.store.read() as db:
        known, open_ = _known(db, connection), rows.drifts(db, connection)
    if not known:
        return []
    now = connector.inventory()
    named = drift.mentions(runtime.config, connection, now)
    found = {one.key: one for one in drift.judge(drift.compare(known, now), named, now, known)}
    told = []
    for one in found.values():
        code, params = one.remedy(connection)
        lines = ", ".join(one.places)
        told.append(
            Finding("problem" if one.pauses else "warning", f"{lines}: {say_stored(one.reason())}", say(code, params))
        )
    for row in open_:
        if row.key not in found and not _mended(row, None, named, now):
            code = "mend_type" if row.what == "retyped" else "mend_code"
            places = drift.places_of(row.key, named) or (row.key[2],)
            params = {"connection": connection, "old_code": row.key[2], "place": places[0]}
            told.append(Finding("problem", f"{', '.join(places)}: {say_stored(row.reason)}", say(code, params)))
    return told
