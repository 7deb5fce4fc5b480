"""Tables of drift and of reconciliation; the same rules as in `hub.store.tables`."""

from __future__ import annotations

import sqlalchemy as sa

from hub.store.columns import ID as _id
from hub.store.columns import TIME as _time
from hub.store.columns import metadata

# What a vendor's account is made of, as last looked at. `gone_at` is set while it is no more.
fingerprint = sa.Table(
    "fingerprint",
    metadata,
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # field | stage | user | pipeline
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.Column("gone_at", _time),
    sa.PrimaryKeyConstraint("connection", "kind", "record", "code", name="fingerprint_pk"),
)

sa.Index(
    "fingerprint_gone",
    fingerprint.c.connection,
    sqlite_where=fingerprint.c.gone_at.is_not(None),
    postgresql_where=fingerprint.c.gone_at.is_not(None),
)

# What hub.yaml names and the account no longer has so. `said`: a digest of the places that name it, as they were.
drift = sa.Table(
    "drift",
    metadata,
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),  # deleted | replaced | retyped
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("since", _time, nullable=False),
    sa.PrimaryKeyConstraint("connection", "kind", "record", "code", name="drift_pk"),
)

# A value that a delivery left out while its line was paused: parked until the line works again, then sent once.
part = sa.Table(
    "part",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("delivery", _id, nullable=False),
    sa.Column("event", _id, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),  # the record that the rest was written to
    sa.Column("word", sa.Text, nullable=False),  # the line as hub.yaml called it, and the vendor's field
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),  # kind and code of what is amiss; "" when the vendor refused the value
    sa.Column("beside", sa.Text, nullable=False),  # the words of all lines of the step
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),  # of hub.yaml
    sa.Column("at", _time, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # parked | replayed | superseded | dropped
    sa.Column("replay", sa.Text),  # the step under which it went out again
    sa.UniqueConstraint("delivery", "field", "ref", name="part_field"),
    sqlite_autoincrement=True,
)
sa.Index(
    "part_parked",
    part.c.connection,
    part.c.record,
    part.c.ref,
    sqlite_where=part.c.state == "parked",
    postgresql_where=part.c.state == "parked",
)
sa.Index("part_event", part.c.event)

# One comparison of an account, or of two, with what the hub knows. `state`: running | done | failed.
reconciliation = sa.Table(
    "reconciliation",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("one", sa.Text, nullable=False),
    sa.Column("other", sa.Text),
    sa.Column("since", _time),
    sa.Column("repair", sa.Boolean, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),  # what is read: [connection, record], in order
    sa.Column("place", sa.Integer, nullable=False),  # which of them is being read
    sa.Column("cursor", sa.Text),
    sa.Column("counts", sa.Text, nullable=False),  # records, pages, calls, seconds
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("started_at", _time, nullable=False),
    sa.Column("finished_at", _time),
    sa.Column("nightly", sa.Boolean, nullable=False),  # begun by the hub itself, not by a person
    sqlite_autoincrement=True,
)

# A record that a running comparison has met: what it never met is looked for one by one.
met = sa.Table(
    "met",
    metadata,
    sa.Column("run", _id, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("run", "connection", "subject", name="met_pk"),
)

# Something that a comparison found. `state`: open | repaired (what was done stands in `repair`).
difference = sa.Table(
    "difference",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("run", _id, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("twin", sa.Text),  # the record on the other side: amo/deal:55
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("repair", sa.Text),
    sa.UniqueConstraint("run", "connection", "subject", name="difference_subject"),
    sqlite_autoincrement=True,
)
