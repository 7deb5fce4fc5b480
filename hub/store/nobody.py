"""Keys that belong to nobody in particular: the office's number, one mailbox for thirty people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hub.identity import Asked, Key
from hub.store import state
from hub.store.engine import Db
from hub.store.json import dumps, loads


def without(db: Db, asked: Sequence[Asked]) -> list[Asked]:
    """Return what events say of their humans, without the keys that are known to name nobody."""
    keys = sorted({key for one in asked for key in one.keys})
    rows = db.keyed("nobody", ("kind", "value"), keys, "t.kind, t.value, t.how")
    listed = {(row[0], row[1]): row[2] for row in rows}
    if not listed:
        return list(asked)
    return [
        replace(
            one,
            keys=[key for key in one.keys if key not in listed],
            left=one.left + [(*key, listed[key]) for key in one.keys if key in listed],
        )
        for one in asked
    ]


def lock_of(key: Key) -> str:
    """Return the name under which a key is held: by who looks for its person, by who finds that it has none."""
    return f"person:{key[0]}:{key[1]}"


def declare(db: Db, key: Key, how: str, reason: Mapping[str, Any]) -> bool:
    """Note that a key names nobody; `how` is `use` (then a person is told) or `human`. False if it was noted."""
    db.lock([lock_of(key)])
    fresh = db.insert(
        "nobody", ("kind", "value", "how", "reason", "at"), [(*key, how, dumps(dict(reason)), db.now)],
        "ON CONFLICT (kind, value) DO NOTHING", "kind",
    )  # fmt: skip
    if fresh and how == "use":
        params = {"kind": key[0], "value": key[1], "count": reason["params"]["count"]}
        state.open_alert(db, f"nobody:{key[0]}:{key[1]}", "alert_nobody", None, params)
    return bool(fresh)


def forget(db: Db, key: Key) -> bool:
    """Let a key name somebody again; return whether it was listed."""
    state.close_alerts(db, f"nobody:{key[0]}:{key[1]}")
    return db.run("DELETE FROM nobody WHERE kind = ? AND value = ?", key) > 0


def listed(db: Db) -> list[dict[str, Any]]:
    """Return all such keys found by use or said by a human, the newest first."""
    rows = db.rows('SELECT kind, value, how, reason, at FROM nobody ORDER BY at DESC, kind, "value"')
    return [{"kind": row[0], "value": row[1], "how": row[2], "reason": loads(row[3]), "at": row[4]} for row in rows]
