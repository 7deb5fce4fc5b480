"""What people do with their own hands: send again, drop, read again, pause, let go on.

Each act writes rows and rings nothing: the workers' sweep sees them within a second. What makes no sense is refused
with `Pointless`, in words; a list of ids is carried out as far as it goes.
"""

from __future__ import annotations

from hub.errors import HubError
from hub.reasons import stored
from hub.store import Db, reading, record, state, work
from hub.store.intake import AGAIN, REPLAYED
from hub.store.json import dumps


class Pointless(HubError):
    """What was asked for can't be done; the message says why and what would help."""

    code = "pointless"


# --- deliveries ----------------------------------------------------------------------------------


def retry(db: Db, id: int, batch: str = "") -> str:
    """Make a parked delivery ready again, its tries forgotten; return what was done, in words.

    batch: what this is part of; a delivery that belongs to another batch already stays there.
    """
    row = _delivery(db, id)
    if row["state"] == "ready":
        raise Pointless(f"d{id} isn't parked: it waits by itself and is tried again (hub explain d{id})")
    if row["state"] != "parked":
        raise Pointless(f"d{id} is {row['state']}; only parked deliveries are tried again")
    if not row["line"]:
        raise Pointless(
            f"d{id} failed before it called anyone; mend hub.yaml, then: hub replay e{row['event']} --again"
        )
    record.send_again(db, id, batch)
    _wake(db, row["line"], _lane(db, row))
    _close_if_none_parked(db, row["connection"])
    state.count(db, {(row["connection"], "delivery_retried_by_hand"): 1})
    return f"d{id} goes out again ({row['connection']}.{row['action']} for {row['subject']})"


def drop(db: Db, id: int) -> str:
    """Give a waiting or parked delivery up; the later steps of its run are given up with it."""
    row = _delivery(db, id)
    if row["state"] not in ("ready", "parked"):
        raise Pointless(f"d{id} is {row['state']} already")
    first = reading.first_on_line(db, row["line"]) == id
    if first and row["lease"] is not None and row["due"] > db.now:
        raise Pointless(f"d{id} is being sent right now; look again in a moment: hub explain d{id}")
    db.run(
        "UPDATE delivery SET state = 'dropped', wait = NULL, started_at = NULL, finished_at = ?, reason = ? "
        "WHERE id = ?",
        (db.now, dumps(stored("dropped")), id),
    )
    if first:
        db.run("UPDATE line SET due = ? WHERE key = ? AND lease IS NULL AND due > ?", (db.now, row["line"], db.now))
    _close_if_none_parked(db, row["connection"])
    state.count(db, {(row["connection"], "delivery_dropped"): 1})
    return f"d{id} is dropped ({row['connection']}.{row['action']} for {row['subject']})"


def _delivery(db: Db, id: int) -> reading.Row:
    row = reading.delivery(db, id)
    if row is None:
        raise Pointless(f"there is no delivery d{id}")
    return row


def _lane(db: Db, row: reading.Row) -> str:
    """Return the lane of the delivery's line; a line that was emptied comes back in the connection's own lane."""
    found = db.one("SELECT lane FROM line WHERE key = ?", (row["line"],))
    return found[0] if found else row["connection"]


def _wake(db: Db, line: str, lane: str) -> None:
    """See to it that a line exists and is due, unless somebody works on it."""
    work.ensure_lines(db, {line: lane})
    db.run("UPDATE line SET due = ? WHERE key = ? AND lease IS NULL AND due > ?", (db.now, line, db.now))


def _close_if_none_parked(db: Db, connection: str) -> None:
    if db.one("SELECT 1 FROM delivery WHERE state = 'parked' AND connection = ? LIMIT 1", (connection,)) is None:
        _close_alert(db, f"parked:{connection}")


def _close_alert(db: Db, cause: str) -> None:
    db.run("UPDATE alert SET closed_at = ? WHERE closed_at IS NULL AND cause = ?", (db.now, cause))


# --- events and receipts -------------------------------------------------------------------------


def retry_event(db: Db, id: int) -> str:
    """Look at the vendor again for an event that could not be completed."""
    row = reading.event(db, id)
    if row is None:
        raise Pointless(f"there is no event e{id}")
    if row["state"] == "waiting":
        raise Pointless(f"e{id} waits by itself for a look at the vendor")
    if row["state"] != "unreadable":
        raise Pointless(f"e{id} is {row['state']}; its deliveries are retried one by one (hub explain e{id})")
    line = f"ev:{row['connection']}>{row['subject']}"
    db.run("UPDATE event SET state = 'waiting', reason = NULL, line = ? WHERE id = ?", (line, id))
    _wake(db, line, row["connection"])
    _close_if_all_readable(db, row["connection"])
    return f"e{id} is looked up at the vendor again"


def replay(db: Db, id: int, again: bool = False, batch: str = "") -> str:
    """Have a receipt read again. What is known already isn't sent twice, unless `again`: then it all happens anew.

    batch: what this is part of; all that follows from it belongs there.
    """
    row = reading.receipt(db, id)
    if row is None:
        raise Pointless(f"there is no receipt r{id}; it may be older than hub: {{keep}}")
    if row["state"] == "new":
        raise Pointless(f"r{id} waits to be read already")
    if row["state"] == "erased":
        raise Pointless(f"r{id} was erased with the person it was about; there is nothing left to read")
    known, reason = reading.events_of_receipt(db, id), dumps(stored(REPLAYED, batch=batch))
    if again:
        # The events give their keys up, so that reading the receipt brings new ones with the old keys: a duplicate
        # from the vendor is still known as one.
        mark = str(int(db.now * 1000))
        db.many('UPDATE event SET "key" = "key" || ? WHERE id = ?', [(f"#{mark}", event) for event in known])
        reason = dumps(stored(AGAIN, mark=mark, batch=batch))
    db.run("UPDATE receipt SET state = 'new', reason = ? WHERE id = ?", (reason, id))
    _close_if_all_readable(db, row["connection"])
    state.count(db, {(row["connection"], "replayed_by_hand"): 1})
    if again:
        return f"r{id} is read again and acted upon as if it came now"
    if known:
        words = ", ".join(f"e{event}" for event in known[:5]) + (", ..." if len(known) > 5 else "")
        return f"r{id} is read again; {words} is known: only routes that have not seen it act (--again: all of them)"
    return f"r{id} is read again"


def drop_receipt(db: Db, id: int) -> str:
    """Give an unread or unreadable receipt up."""
    row = reading.receipt(db, id)
    if row is None:
        raise Pointless(f"there is no receipt r{id}")
    if row["state"] not in ("new", "unreadable"):
        raise Pointless(f"r{id} is {row['state']} already; its deliveries are dropped one by one (hub explain r{id})")
    db.run("UPDATE receipt SET state = 'dropped', reason = ? WHERE id = ?", (dumps(stored("dropped")), id))
    _close_if_all_readable(db, row["connection"])
    return f"r{id} is dropped"


def _close_if_all_readable(db: Db, connection: str) -> None:
    for table in ("receipt", "event"):
        sql = f"SELECT 1 FROM {table} WHERE state = 'unreadable' AND connection = ? LIMIT 1"  # noqa: S608
        if db.one(sql, (connection,)) is not None:
            return
    _close_alert(db, f"unreadable:{connection}")


# --- connections and alerts ----------------------------------------------------------------------


def pause(db: Db, connection: str) -> str:
    """Hold all calls of a connection back; what comes in is still taken."""
    known = state.healths(db).get(connection)
    if known is not None and known.paused:
        raise Pointless(f"{connection} is paused already")
    state.set_health(db, connection, paused=True)
    return f"{connection} is paused: requests are still taken, its calls wait until: hub resume {connection}"


def resume(db: Db, connection: str) -> str:
    """Let a connection's calls out again: a pause, a hold for credentials and the breaker are lifted."""
    known = state.healths(db).get(connection)
    if known is None or not (known.paused or known.held is not None or known.open_until is not None or known.fails):
        raise Pointless(f"{connection} isn't held back by anything")
    state.lift(db, connection, paused=False)
    return f"{connection} goes on"


def close_alert(db: Db, id: int) -> str:
    """Close an alert; it opens again if its cause is still there."""
    row = reading.alert(db, id)
    if row is None:
        raise Pointless(f"there is no alert a{id}")
    if row["closed_at"] is not None:
        raise Pointless(f"a{id} is closed already")
    db.run("UPDATE alert SET closed_at = ? WHERE id = ?", (db.now, id))
    return f"a{id} is closed"
