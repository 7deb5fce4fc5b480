"""How a person stands with the company: known before, a client, blocked, how many requests. What `person.` means.

Each word is worked out when somebody asks, by the transaction that plans the event (then the event itself counts as
the last request, and no other message of the same person can slip in between), or later by one of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from hub import golden
from hub.config import Config
from hub.events import REQUESTS, TALKS
from hub.identity import Tally
from hub.model import Event, Owned
from hub.paths import ABSENT, Scope
from hub.runtime import Runtime
from hub.store import Db, families, roster, standing
from hub.store.people import Match
from hub.store.work import Ref

Open = Callable[[], AbstractContextManager[Db]]
_WORDS = ("id", "known", "client", "blocked", "requests", "orders", "responsible", "name", "phone", "email")


class Standing(Mapping[str, Any]):
    """The record `person` of one event, read on demand; vendors' contacts stand under the connection's name.

    earlier: when the same person asked for something in this very transaction, before this event.
    """

    def __init__(
        self, config: Config, event: Event, person: int, links: Sequence[Ref] = (), *, open: Open | None = None,
        known: bool | None = None, family: Sequence[int] = (), earlier: Sequence[standing.Moment] = (),
    ) -> None:  # fmt: skip
        self.config, self.event, self.person, self.links = config, event, person, links
        self._open, self._family, self._earlier = open, list(family), earlier
        self._found: dict[str, Any] = {"id": str(person)}
        if known is not None:
            self._found["known"] = known
        contact = event.record.get("contact") or {}
        self._found |= {name: contact[name] for name in ("name", "phone", "email") if contact.get(name)}
        for connection, kind, ref in links:
            if kind == "contact":
                self._found.setdefault(connection, {"contact": ref})

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            if name not in _WORDS:
                raise KeyError(name)
            self._found[name] = self._read(name)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._found, *_WORDS)))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self._found or name in _WORDS

    def _read(self, name: str) -> Any:
        if self._open is None:
            return True if name == "known" else ABSENT
        with self._open() as db:
            if not self._family:
                self._family = families.family(db, self.person)
            return getattr(self, f"_{name}")(db)

    # --- the words ------------------------------------------------------------------------------

    def _known(self, db: Db) -> bool:
        """Whether somebody knew them before this event."""
        return not standing.made_by(db, self.event.id)

    def _requests(self, db: Db) -> Tally:
        now = self._now(db)
        before = standing.requests(db, self._family, self.event.id, now, self.config.hub.zone)
        mine = _moment(self.config, self.event, now)
        return Tally.of(standing.counted([*before, *self._earlier, *mine]), now)

    def _orders(self, db: Db) -> Tally:
        times = standing.orders(db, self._family)
        return Tally.of([*times, *(at for _, at in self._fitting(db))], self._now(db))

    def _client(self, db: Db) -> bool:
        return bool(self._fitting(db))

    def _responsible(self, db: Db) -> Any:
        """Who looks after them: of the record of theirs that was seen last."""
        for connection, _, record, _ in standing.history(db, self._family):
            if who := record.get("responsible"):
                return Owned({**who, "_connection": connection}) if isinstance(who, Mapping) else who
        return ABSENT

    def _blocked(self, db: Db) -> bool:
        """Whether one of their keys is on the list of `people.block`."""
        if self.config.people.block is None:
            return False
        table, fields = self.config.people.block
        keys = roster.keys_of(db, self.person)
        values = [(kind, value.partition(":")[2] if kind == "handle" else value) for kind, value in keys]
        return any(kind in fields and table.fitting({kind: value}) for kind, value in values)

    def _name(self, db: Db) -> Any:
        return self._golden(db, "name")

    def _phone(self, db: Db) -> Any:
        return self._golden(db, "phone")

    def _email(self, db: Db) -> Any:
        return self._golden(db, "email")

    def _golden(self, db: Db, name: str) -> Any:
        rule = golden.rule_of(self.config.people, name)
        return golden.best(roster.record_of(db, self._family), name, rule) or ABSENT

    def _now(self, db: Db) -> float:
        return self.event.at or db.now

    def _fitting(self, db: Db) -> list[tuple[str, float]]:
        """Return (subject, when it was seen) of the records that make a client."""
        found = []
        for connection, subject, record, at in standing.history(db, self._family):
            kind = subject.partition(":")[0]
            for rule in self.config.people.client:
                if (rule.connection, rule.record) != (connection, kind):
                    continue
                event = Event(f"{kind}.updated", subject, "", {kind: record}, connection=connection)
                scope = Scope(event, self.config, now=dt.datetime.fromtimestamp(db.now, dt.UTC))
                if rule.condition.holds(scope):
                    found.append((subject, at))
                    break
        return found


def _moment(config: Config, event: Event, at: float) -> list[standing.Moment]:
    """Return the event as a request, none if it is none."""
    if event.type not in (*REQUESTS, *TALKS):
        return []
    return [(at, standing.day_of(event.type, event.connection, at, config.hub.zone))]


class Standings:
    """Makes the standings of one transaction; a request counts for those of the same person that come after it."""

    def __init__(self, runtime: Runtime, db: Db, fresh: bool) -> None:
        self.config, self.db, self.fresh = runtime.config, db, fresh
        self._times: dict[int, list[standing.Moment]] = {}

    def standing(self, event: Event, match: Match, links: Sequence[Ref]) -> Standing | None:
        """Return how the person of an event stands; None if it names nobody."""
        if match.root is None:
            return None
        before = self._times.setdefault(match.root, [])
        known = not match.made if self.fresh else None  # of an event planned before, its own note tells
        found = Standing(
            self.config, event, match.root, links, open=lambda: nullcontext(self.db), known=known,
            family=match.family, earlier=tuple(before),
        )  # fmt: skip
        if self.fresh:
            before += _moment(self.config, event, self.db.now)
        return found

    def decided(self, event: Event) -> bool:
        """Return whether it was decided before who an event is from."""
        row = self.db.one("SELECT 1 FROM event WHERE id = ? AND matched IS NOT NULL", (event.id,))
        return row is not None
