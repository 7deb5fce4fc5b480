"""Opening the store, and transactions on it. SQLite and PostgreSQL speak the same SQL here.

On SQLite writers take turns (`hub.store.turns`) before `BEGIN IMMEDIATE`. Every write is committed with fsync
(`synchronous=FULL`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hub.errors import ConfigError, StoreFull
from hub.keys import load_key
from hub.sealing import Sealer
from hub.store.turns import Turns

#: below this much free disk the way in answers 503, so that workers can still record
RESERVE = 64 * 1024 * 1024
_CHUNK = 400
#: a database that is gone must be noticed while a sender still waits
_PG = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def steady() -> float:
    """Return the seconds of a clock that nobody sets, and that goes on while the machine sleeps (where it has one)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Db:
    """One transaction. SQL is written with `?`; `now` is the store's clock in epoch seconds.

    Statements go straight to the driver's cursor. SQLAlchemy keeps the pool, the schema and the migrations, but its
    result machinery costs 0.14 ms a statement where the drivers take 0.01 (bench/README.md), and a hub lives by
    many small statements.
    """

    def __init__(self, connection: sa.Connection, store: Store, now: float) -> None:
        self.connection = connection
        self.postgresql = store.postgresql
        self.sealer = store.sealer
        self.now = now
        self._raw: Any = connection.connection.driver_connection
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def _run(self, sql: str, params: Sequence[Any]) -> Any:
        if self.postgresql:
            return self._raw.execute(_postgresql(sql), params)
        return self._raw.execute(sql, params)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query."""
        cursor = self._run(sql, params)
        found = cursor.fetchall()
        cursor.close()
        return found

    def one(self, sql: str, params: Sequence[Any] = ()) -> Any | None:
        """Return the first row, or None."""
        cursor = self._run(sql, params)
        found = cursor.fetchone()
        cursor.close()
        return found

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Execute and return how many rows it touched."""
        cursor = self._run(sql, params)
        touched: int = cursor.rowcount
        cursor.close()
        return touched

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute once per row."""
        if rows:
            cursor = self._raw.cursor()
            cursor.executemany(_postgresql(sql) if self.postgresql else sql, rows)
            cursor.close()

    def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], conflict: str = "", returning: str = ""
    ) -> list[Any]:
        """Insert many rows with one statement per few hundred; return what `returning` names, in any order."""
        out: list[Any] = []
        shape = "(" + ",".join("?" * len(columns)) + ")"
        names = ",".join(f'"{name}"' for name in columns)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            sql = f'INSERT INTO "{table}" ({names}) VALUES ' + ",".join([shape] * len(chunk))  # noqa: S608
            sql += f" {conflict}" + (f" RETURNING {returning}" if returning else "")
            values = [value for row in chunk for value in row]
            if returning:
                out.extend(self.rows(sql, values))
            else:
                self.run(sql, values)
        return out

    def keyed(self, table: str, columns: Sequence[str], keys: Sequence[Sequence[Any]], wanted: str) -> list[Any]:
        """Return `wanted` of the rows whose columns have one of these values, read by the index on them.

        A join and not `(a, b) IN (VALUES ...)`: SQLite reads the whole table for that.
        """
        out: list[Any] = []
        shape = "(" + ",".join("?" * len(columns)) + ")"
        same = " AND ".join(f't."{name}" = w.column{place}' for place, name in enumerate(columns, 1))
        for start in range(0, len(keys), _CHUNK // len(columns)):
            chunk = keys[start : start + _CHUNK // len(columns)]
            sql = f"SELECT {wanted} FROM (VALUES {','.join([shape] * len(chunk))}) AS w "  # noqa: S608
            sql += f'CROSS JOIN "{table}" t WHERE {same}'
            out.extend(self.rows(sql, [part for key in chunk for part in key]))
        return out

    def marks(self, values: Sequence[Any]) -> str:
        """Return `?,?,?` for an IN list."""
        return ",".join("?" * len(values))

    def count(self, day: str, counts: Mapping[tuple[str, str], int]) -> None:
        """Add to a day's counters when the transaction ends: (connection, name) -> how many."""
        for (connection, name), n in counts.items():
            self._counts[day, connection, name] += n

    def write_counts(self) -> None:
        """Write the gathered counters, once and in one order: two transactions never wait for each other's rows."""
        rows = [(*key, n) for key, n in sorted(self._counts.items()) if n]
        self._counts.clear()
        self.insert(
            "counter", ("day", "connection", "name", "n"), rows,
            "ON CONFLICT (day, connection, name) DO UPDATE SET n = counter.n + excluded.n",
        )  # fmt: skip

    def lock(self, keys: Iterable[str]) -> None:
        """Hold these names for the transaction, in sorted order (SQLite has one writer anyway)."""
        if self.postgresql and (wanted := sorted(set(keys))):
            self._run(_LOCK, (wanted,)).close()


#: one round trip for all of them; sorted inside, so that each is waited for in its turn
_LOCK = (
    "SELECT pg_advisory_xact_lock(h) FROM (SELECT hashtextextended(k, 0) AS h "
    "FROM unnest(?::text[]) WITH ORDINALITY AS t(k, n) ORDER BY n OFFSET 0) s"
)


@functools.lru_cache(maxsize=2000)
def _postgresql(sql: str) -> str:
    """Return the SQL with psycopg's placeholders."""
    return sql.replace("%", "%%").replace("?", "%s")


class Store:
    """The truth: everything the hub knows, in one database."""

    def __init__(self, url: str, folder: Path, key: bytes) -> None:
        self.url = url
        self.sealer = Sealer(key)
        self.folder = folder
        self.postgresql = url.startswith("postgresql")
        self.turns = Turns(folder)
        self._clock_offset = 0.0
        self._clock_checked = 0.0
        self.engine = self._open()

    # --- opening -----------------------------------------------------------------------------

    @classmethod
    def open(cls, url: str | None, folder: Path, key: bytes | None = None) -> Store:
        """Open `url` (PostgreSQL) or the SQLite file `hub.db` in `folder`; bring the schema up to date.

        key: what requests are sealed with (`hub.keys.load_key` if not given). ConfigError where the store was
        written with another one: a process with the wrong key could neither read nor be read.
        """
        from hub.store.schema import upgrade

        key = key or load_key(folder, os.environ)
        if url:
            store = cls(_with_driver(url), folder, key)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            store = cls(f"sqlite:///{folder / 'hub.db'}", folder, key)
        try:
            upgrade(store)
            store.check_key()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def look(cls, url: str | None, folder: Path, key: bytes = b"") -> Store | None:
        """Open a store only to look at it: nothing is made, upgraded or checked. None where there is none yet."""
        if url:
            return cls(_with_driver(url), folder, key)
        return cls(f"sqlite:///{folder / 'hub.db'}", folder, key) if (folder / "hub.db").is_file() else None

    def check_key(self) -> None:
        """Raise ConfigError unless this store was written with our key."""
        with self.read() as db:
            known = db.one("SELECT value FROM fact WHERE name = 'key'")
        if known is None:
            with self.write() as db:
                db.insert("fact", ("name", "value"), [("key", self.sealer.fingerprint)], "ON CONFLICT DO NOTHING")
                known = db.one("SELECT value FROM fact WHERE name = 'key'")
        if known is None or known[0] != self.sealer.fingerprint:
            raise ConfigError(
                [
                    "this store was written with another key. Give every process the same HUB_SECRET_KEY, or put "
                    "back the file secret.key of the data folder"
                ]
            )

    def _open(self) -> sa.Engine:
        if self.postgresql:
            return sa.create_engine(self.url, pool_size=8, max_overflow=16, pool_pre_ping=True, connect_args=_PG)
        engine = sa.create_engine(
            self.url,
            poolclass=sa.pool.QueuePool,
            pool_size=8,
            max_overflow=24,
            connect_args={"check_same_thread": False, "timeout": 30},
        )

        @sa.event.listens_for(engine, "connect")
        def connected(raw: Any, record: Any) -> None:
            raw.isolation_level = None  # transactions are begun by hand, see `write`
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "busy_timeout=30000",
                "cache_size=-8000",
                # Read through the page cache without a call and a copy for each page: a third more persons matched a
                # second among 100,000. Only what is read is mapped, and the system takes it back when it needs room.
                "mmap_size=2147418112",
                "temp_store=MEMORY",
                "wal_autocheckpoint=0",  # the sweeper checkpoints, so that no acknowledgement pays for it
            ):
                raw.execute(f"PRAGMA {pragma}").close()

        return engine

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self.turns.close()

    # --- transactions ------------------------------------------------------------------------

    @contextlib.contextmanager
    def write(self, urgent: bool = False) -> Iterator[Db]:
        """One durable transaction; committed (with fsync) when the block ends, rolled back when it raises.

        urgent: for what somebody waits for (an acknowledgement). On SQLite the others queue among themselves first,
        so an urgent writer waits for one of them at most, however many workers there are.
        """
        if self.postgresql:
            with self.engine.begin() as connection:
                db = Db(connection, self, self.now(connection))
                yield db
                db.write_counts()
            return
        with self.turns.turn(urgent), self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("BEGIN IMMEDIATE").close()
            try:
                db = Db(connection, self, time.time())
                yield db
                db.write_counts()
                raw.execute("COMMIT").close()
            except BaseException:
                if raw.in_transaction:
                    raw.execute("ROLLBACK").close()
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[Db]:
        """A consistent view for reading."""
        with self.engine.connect() as connection:
            if self.postgresql:
                yield Db(connection, self, self.now(connection))
                return
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("BEGIN").close()
            try:
                yield Db(connection, self, time.time())
            finally:
                if raw.in_transaction:
                    raw.execute("ROLLBACK").close()

    def now(self, connection: sa.Connection) -> float:
        """Return the database's clock, asked once a minute: leases of many machines must agree on the time.

        In between a clock of this machine that nobody sets goes on from there: its time of day may be anything.
        """
        if not self.postgresql:
            return time.time()
        if not self._clock_checked or steady() - self._clock_checked > 60:
            asked = connection.exec_driver_sql("SELECT extract(epoch from clock_timestamp())").scalar()
            self._clock_checked = steady()
            self._clock_offset = float(asked or 0) - self._clock_checked
        return steady() + self._clock_offset

    def clock(self) -> float:
        """Return the store's clock without asking for it, for waits between two transactions."""
        return steady() + self._clock_offset if self._clock_checked else time.time()

    def ask_clock(self) -> None:
        """Have the database asked for its clock by the next transaction."""
        self._clock_checked = 0.0

    # --- upkeep ------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Fold SQLite's write-ahead log back into the file (PostgreSQL looks after itself)."""
        if not self.postgresql:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def cut_log(self, longest: int = 64 * 1024 * 1024) -> None:
        """Cut SQLite's log to nothing once it has grown long: folding it back alone leaves the file as it is."""
        if self.postgresql:
            return
        log = Path(self.url.removeprefix("sqlite:///") + "-wal")
        if log.exists() and log.stat().st_size > longest:
            with self.alone() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextlib.contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """A connection of SQLite without a transaction, while no other process writes."""
        with self.turns.turn(), self.engine.connect() as connection:
            yield connection

    def check_room(self) -> None:
        """Raise `StoreFull` when the disk is below its reserve."""
        if self.postgresql or not self.folder.exists():
            return
        free = shutil.disk_usage(self.folder).free
        if free < RESERVE:
            raise StoreFull(f"only {free // 1024 // 1024} MB left on the disk of {self.folder}")

    def healthy(self) -> bool:
        """Return whether the store answers."""
        with self.read() as db:
            return db.one("SELECT 1") is not None


#: what the drivers and SQLAlchemy raise when the database is away, locked or full
_TROUBLE = frozenset({"OperationalError", "InterfaceError", "InternalError", "TimeoutError"})


#: SQLSTATE classes: connection, rollback (deadlock), resources, operator, system
_TROUBLE_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})


def is_trouble(error: BaseException) -> bool:
    """Return whether an error is the store's (away, locked, full) and not that of the data: then waiting helps."""
    if isinstance(error, OSError | MemoryError | StoreFull):
        return True
    code = getattr(error, "sqlstate", None)
    if code:  # PostgreSQL says what it is; its class names put "a value too long for an index" under the same roof
        return str(code)[:2] in _TROUBLE_CLASSES
    return any(kind.__name__ in _TROUBLE for kind in type(error).__mro__)


def _with_driver(url: str) -> str:
    scheme, rest = url.split("://", 1)
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else f"{scheme}://{rest}"
