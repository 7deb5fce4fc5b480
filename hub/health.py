"""How a connection is, told by what its calls come to: breaker, hold for credentials, one alert per cause."""

from __future__ import annotations

from typing import Any

from hub.outcome import Outcome
from hub.runtime import Runtime
from hub.store import Db, state
from hub.work_items import Item

#: failures in a row after which a connection's calls are held back
BREAKER = 5
#: seconds after which a held connection lets one call try whether the vendor lets it in again
PROBE = 600.0


def note_health(
    db: Db, runtime: Runtime, health: dict[str, state.Health], item: Item, kind: str, reason: Any,
    outcome: Outcome | None,
) -> None:  # fmt: skip
    """Keep the breaker and the hold of a connection; one alert per cause."""
    connection = item.connection
    known = health.setdefault(connection, state.Health(connection))
    told = (reason or {}).get("params") or {}
    params = {"connection": connection, "why": told.get("why", "")}
    if outcome is not None and outcome.own_trouble:
        return  # it says nothing of the vendor
    if kind in ("retry", "uncertain") and (outcome is None or outcome.called or outcome.exchanges):
        if known.open_until is not None and known.open_until > db.now:
            return  # under way when the breaker opened: many at once are one failure, the next probe is another
        known.fails += 1
        state.note_failure(db, connection, params["why"], first=known.fails == 1)
        changes: dict[str, Any] = {"fails": known.fails}
        if known.fails >= BREAKER:
            known.open_until = db.now + min(5.0 * 2 ** (known.fails - BREAKER), 300.0)
            changes["open_until"] = known.open_until
            state.open_alert(db, f"breaker:{connection}", "alert_breaker", connection, params)
        state.set_health(db, connection, **changes)
    elif kind == "hold":
        known.held = reason
        digest = runtime.settings_digest(connection)
        known.probe_at = db.now + PROBE
        state.set_health(db, connection, held=reason, settings=digest, probe_at=known.probe_at)
        params["remedy"] = told.get("remedy", "credentials")
        state.open_alert(db, f"auth:{connection}", "alert_auth", connection, params)
    elif kind in ("done", "refused", "skipped", "parked") and (outcome is None or outcome.called):
        if known.held is not None and known.probe_at is not None and item.at < known.probe_at - PROBE:
            return  # under way when the vendor shut its door: an answer from before says nothing of now
        if known.fails or known.held is not None or known.open_until is not None:
            state.close_alerts(db, f"breaker:{connection}")
            state.close_alerts(db, f"auth:{connection}")
            known.fails, known.held, known.open_until = 0, None, None
            state.set_health(db, connection, fails=0, held=None, open_until=None, last_ok=db.now)
        elif known.last_ok is None or db.now - known.last_ok > 30:
            known.last_ok = db.now
            state.set_health(db, connection, last_ok=db.now)
