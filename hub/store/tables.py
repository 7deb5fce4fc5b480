"""The tables. Times are epoch seconds (UTC); JSON is text; `state` words are those of the command line.

Which index serves what is said beside it. Partial indexes hold only unfinished work, so they stay small however
long the history grows.
"""

from __future__ import annotations

import sqlalchemy as sa

from hub.store import drift_tables, people_tables
from hub.store.columns import ID as _id
from hub.store.columns import TIME as _time
from hub.store.columns import metadata

# A raw request, as it came. UNIQUE(connection, key) decides what is a duplicate.
receipt = sa.Table(
    "receipt",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("remote", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # new | done | skipped | unreadable | dropped | erased
    sa.Column("reason", sa.Text),
    sa.UniqueConstraint("connection", "key", name="receipt_key"),
    sqlite_autoincrement=True,
)
sa.Index(
    "receipt_new",
    receipt.c.connection,
    receipt.c.id,
    sqlite_where=receipt.c.state == "new",
    postgresql_where=receipt.c.state == "new",
)
sa.Index("receipt_at", receipt.c.at)
sa.Index(
    "receipt_unreadable",
    receipt.c.connection,
    sqlite_where=receipt.c.state == "unreadable",
    postgresql_where=receipt.c.state == "unreadable",
)

# One thing that happened. `line` is set while it waits to be completed.
event = sa.Table(
    "event",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("receipt", _id),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("occurred_at", _time),
    sa.Column("at", _time, nullable=False),
    sa.Column("content", sa.Text, nullable=False),  # record, text, title, channel, by, was
    sa.Column(
        "state", sa.Text, nullable=False
    ),  # waiting | planned | joined | echo | gone | unreadable | dropped | erased
    sa.Column("reason", sa.Text),
    sa.Column("line", sa.Text),
    sa.Column("person", _id),  # as its own keys name them; the survivor of a merge is found by person.into
    sa.Column("hop", sa.Integer, nullable=False),
    sa.Column("cause", _id),
    sa.Column("matched", sa.Text),  # how its person was found: a reason with parameters
    sa.UniqueConstraint("connection", "key", name="event_key"),
    sqlite_autoincrement=True,
)
sa.Index(
    "event_waiting",
    event.c.line,
    event.c.id,
    sqlite_where=event.c.state == "waiting",
    postgresql_where=event.c.state == "waiting",
)
sa.Index("event_receipt", event.c.receipt)
sa.Index("event_cause", event.c.cause)
sa.Index(
    "event_unreadable",
    event.c.connection,
    sqlite_where=event.c.state == "unreadable",
    postgresql_where=event.c.state == "unreadable",
)
sa.Index("event_at", event.c.at)
sa.Index("event_subject", event.c.connection, event.c.subject)
sa.Index("event_person", event.c.person, event.c.at)

# One planned outward call: a step of a route for an event.
delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("event", _id, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # ready | done | skipped | refused | parked | dropped
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("marker", sa.Text, nullable=False),
    sa.Column("created_at", _time, nullable=False),
    sa.Column("started_at", _time),  # set by the claim: from here on the call may have been sent
    sa.Column("finished_at", _time),
    sa.Column("reason", sa.Text),
    sa.Column("wait", sa.Text),  # kind of the present wait: retry | limit | settle | hold | human
    sa.Column("result", sa.Text),
    sa.Column("written", sa.Text),  # what was written, the values before, whether the record was made by it
    sa.Column("batch", sa.Text),  # what one command or one run wrote: `hub undo --batch` takes it back
    sa.Column("given", sa.Text),  # the act itself, where no route of hub.yaml says it (hub.undoing)
    sa.UniqueConstraint("event", "route", "step", name="delivery_step"),
    sqlite_autoincrement=True,
)
sa.Index(
    "delivery_ready",
    delivery.c.line,
    delivery.c.id,
    sqlite_where=delivery.c.state == "ready",
    postgresql_where=delivery.c.state == "ready",
)
sa.Index(
    "delivery_parked",
    delivery.c.connection,
    delivery.c.id,
    sqlite_where=delivery.c.state == "parked",
    postgresql_where=delivery.c.state == "parked",
)
sa.Index(
    "delivery_marker",
    delivery.c.marker,
    sqlite_where=delivery.c.state == "ready",
    postgresql_where=delivery.c.state == "ready",
)
sa.Index("delivery_created", delivery.c.created_at)
sa.Index(
    "delivery_batch",
    delivery.c.batch,
    delivery.c.id,
    sqlite_where=delivery.c.batch.is_not(None),
    postgresql_where=delivery.c.batch.is_not(None),
)

# What must go in order: only busy subjects have a row. A lease is a random token; a crashed one becomes due by itself.
line = sa.Table(
    "line",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("due", _time, nullable=False),
    sa.Column("lease", sa.Text),
)
sa.Index("line_due", line.c.lane, line.c.due)

# One try of a delivery.
attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("delivery", _id, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.Column("took_ms", sa.Integer, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("exchanges", sa.Text),
    sqlite_autoincrement=True,
)
sa.Index("attempt_delivery", attempt.c.delivery)

# This deal in A is that parcel in B. Written both ways, so that one index answers either question.
link = sa.Table(
    "link",
    metadata,
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("to_connection", sa.Text, nullable=False),
    sa.Column("to_kind", sa.Text, nullable=False),
    sa.Column("to_ref", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.PrimaryKeyConstraint("connection", "kind", "ref", "to_connection", "to_kind", "to_ref", name="link_pk"),
)

# The last seen state of a vendor's record; the difference makes stage_changed and the like.
seen = sa.Table(
    "seen",
    metadata,
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.PrimaryKeyConstraint("connection", "subject", name="seen_pk"),
)

# A record the hub asks a vendor about until it is finished.
watch = sa.Table(
    "watch",
    metadata,
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("due", _time, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("since", _time, nullable=False),
    sa.PrimaryKeyConstraint("connection", "kind", "ref", name="watch_pk"),
)
sa.Index("watch_due", watch.c.connection, watch.c.kind, watch.c.due)

# Where a poll left off.
cursor = sa.Table(
    "cursor",
    metadata,
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("at", _time, nullable=False),
    sa.Column("fails", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text),
    sa.PrimaryKeyConstraint("connection", "what", name="cursor_pk"),
)

# How a connection is: paused by a person, held for credentials, its breaker, when it last worked.
health = sa.Table(
    "health",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("held", sa.Text),  # reason; set by AuthFailed, cleared by new credentials, a good check or a person
    sa.Column("open_until", _time),  # breaker
    sa.Column("fails", sa.Integer, nullable=False),
    sa.Column("last_ok", _time),
    sa.Column("settings", sa.Text),  # digest of the settings that were held: other settings lift the hold
    sa.Column("probe_at", _time),
)

# Rotating credentials, encrypted.
token = sa.Table(
    "token",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("refreshing", sa.Text),
    sa.Column("refreshing_until", _time),
    sa.Column("at", _time, nullable=False),
)

# Something a human must know: one open row per cause.
alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("connection", sa.Text),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("opened_at", _time, nullable=False),
    sa.Column("last_at", _time, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("closed_at", _time),
    sqlite_autoincrement=True,
)
sa.Index(
    "alert_open",
    alert.c.cause,
    unique=True,
    sqlite_where=alert.c.closed_at.is_(None),
    postgresql_where=alert.c.closed_at.is_(None),
)

# Requests turned away, masked; a ring of 200 per connection.
rejected = sa.Table(
    "rejected",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index("rejected_connection", rejected.c.connection, rejected.c.id)

# Counters per day that add up.
counter = sa.Table(
    "counter",
    metadata,
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("day", "connection", "name", name="counter_pk"),
)

# Normalised words by which a person looks an event up: phone, e-mail, handle, deal, parcel.
search = sa.Table(
    "search",
    metadata,
    sa.Column("word", sa.Text, nullable=False),
    sa.Column("event", _id, nullable=False),
    sa.PrimaryKeyConstraint("word", "event", name="search_pk"),
)
sa.Index("search_event", search.c.event)

# What was erased at a person's wish: the number they had, how many rows of each kind, never who they were.
erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("persons", sa.Text, nullable=False),  # their numbers here
    sa.Column("began_at", _time, nullable=False),
    sa.Column("finished_at", _time),  # none: it was cut short, and has to be run again
    sa.Column("counts", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

# Facts about this installation: instance id, ...
fact = sa.Table(
    "fact",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# How a sync stands: new (never begun) | reading | first (its backlog is being carried) | on | paused | done.
sync = sa.Table(
    "sync",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", _time, nullable=False),
    sa.Column("paused_at", _time),
    sa.Column("finished_at", _time),
    sa.Column("fed_at", _time),  # until when the backlog was handed out at the pace of `cap`
)

# This record at `from` is that record at `to`, and what they agreed upon last, field by field.
twin = sa.Table(
    "twin",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("one", sa.Text, nullable=False),
    sa.Column("other", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # kept | stopped | gone | making
    sa.Column("agreed", sa.Text, nullable=False),  # word -> [value at one, value at other]
    sa.Column("told", sa.Text, nullable=False),  # one|other -> word -> [when its new value was changed, that value]
    sa.Column("writes", sa.Text, nullable=False),  # when the hub wrote into either, lately
    sa.Column("intent", sa.Text),  # what is about to be written: word -> [agreement, place, value]
    sa.Column("busy", _id),  # the delivery that looks at both sides just now
    sa.Column("busy_at", _time),
    sa.Column("reason", sa.Text),
    sa.Column("at", _time, nullable=False),
    sa.UniqueConstraint("sync", "record", "one", name="twin_one"),
    sa.UniqueConstraint("sync", "record", "other", name="twin_other"),
    sqlite_autoincrement=True,
)

# A record that a sync has still to look at: its first sync, and what changed while it was paused.
backlog = sa.Table(
    "backlog",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),  # create | update | same | merge | skip
    sa.Column("reason", sa.Text),
    sa.Column("content", sa.Text),  # the record as it was read; forgotten once it is handed on
    sa.Column("state", sa.Text, nullable=False),  # waiting | fed
    sa.Column("event", _id),
    sa.Column("at", _time, nullable=False),
    sa.UniqueConstraint("sync", "record", "connection", "ref", name="backlog_record"),
    sqlite_autoincrement=True,
)
sa.Index(
    "backlog_waiting",
    backlog.c.sync,
    backlog.c.record,
    backlog.c.connection,
    backlog.c.id,
    sqlite_where=backlog.c.state == "waiting",
    postgresql_where=backlog.c.state == "waiting",
)
sa.Index("backlog_event", backlog.c.event)

__all__ = ["drift_tables", "metadata", "people_tables"]
