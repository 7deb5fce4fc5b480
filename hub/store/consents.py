"""Words that work once: the link that begins a consent, and the state that ends it. Kept as digests, for a while."""

from __future__ import annotations

import hashlib
import hmac

from hub.store.engine import Db

_PREFIX = "consent:"


def issue(db: Db, kind: str, connection: str, word: str, seconds: float, browser: str = "") -> None:
    """Keep a word of a kind (`link`, `state`) for a connection; `browser` is what has to come back with it."""
    for name, value in db.rows("SELECT name, value FROM fact WHERE name LIKE ?", (f"{_PREFIX}%",)):
        if float(value.partition(" ")[0]) <= db.now:
            db.run("DELETE FROM fact WHERE name = ?", (name,))
    value = f"{db.now + seconds!r} {_digest(browser)}"
    db.insert("fact", ("name", "value"), [(_name(kind, connection, word), value)])


def take(db: Db, kind: str, connection: str, word: str, browser: str = "") -> bool:
    """Use a word up. False if it was never issued, was used, is too old, or was issued to another browser.

    One that comes from another browser stays good: a stranger who overheard it must not be able to spend it.
    """
    name = _name(kind, connection, word)
    row = db.one("SELECT value FROM fact WHERE name = ?", (name,))
    if row is None:
        return False
    until, _, whose = str(row[0]).partition(" ")
    if float(until) <= db.now or not hmac.compare_digest(whose, _digest(browser)):
        return False
    return db.run("DELETE FROM fact WHERE name = ?", (name,)) == 1  # of two at the same moment one deletes it


def token_version(db: Db, connection: str) -> int:
    """Return how often a connection's tokens were stored: after a consent that proved anything it is another number."""
    row = db.one("SELECT version FROM token WHERE connection = ?", (connection,))
    return int(row[0]) if row else 0


def _name(kind: str, connection: str, word: str) -> str:
    return f"{_PREFIX}{kind}:{connection}:{_digest(word)}"


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()[:40]
