"""Tables of persons: who they are, what names them, who is one with whom; the same rules as in `hub.store.tables`."""

from __future__ import annotations

import sqlalchemy as sa

from hub.store.columns import ID as _id
from hub.store.columns import TIME as _time
from hub.store.columns import metadata

# A human. `into` points to the survivor of a merge, never to one that is merged itself. `record` is the golden record:
# field -> values, each with where it came from and when. `compared` says whether likeness to others was looked for.
person = sa.Table(
    "person",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("into", _id),
    sa.Column("created_at", _time, nullable=False),
    sa.Column("record", sa.Text),
    sa.Column("changed_at", _time),
    sa.Column("compared", sa.Boolean, nullable=False, server_default=sa.false()),
    sqlite_autoincrement=True,
)
sa.Index(
    "person_into",
    person.c.into,
    sqlite_where=person.c.into.isnot(None),
    postgresql_where=person.c.into.isnot(None),
)
sa.Index(
    "person_uncompared",
    person.c.id,
    sqlite_where=sa.text("NOT compared"),  # as the queries say it: SQLite takes no other spelling for the same
    postgresql_where=sa.text("NOT compared"),
)

# The keys that name a human. `via` is the key by which the person was known when this one came: a key through which
# dozens of others came belongs to nobody.
person_key = sa.Table(
    "person_key",
    metadata,
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("person", _id, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.Column("via", sa.Text),
    sa.PrimaryKeyConstraint("kind", "value", name="person_key_pk"),
)
sa.Index("person_key_person", person_key.c.person)

# That two persons are one, by rule or by a human's word. The rows not undone say which persons belong together
# (`person.into` is worked out from them), so undoing a merge is to undo its row.
merge = sa.Table(
    "merge",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("survivor", _id, nullable=False),
    sa.Column("merged", _id, nullable=False),
    sa.Column("one", _id, nullable=False),  # the two whose keys met; each may have been merged into others before
    sa.Column("other", _id, nullable=False),
    sa.Column("how", sa.Text, nullable=False),  # rule | human
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("batch", sa.Text),
    sa.Column("moved", sa.Text),  # what waited for the merged one and went behind the survivor
    sa.Column("at", _time, nullable=False),
    sa.Column("undone_at", _time),
    sqlite_autoincrement=True,
)
sa.Index("merge_one", merge.c.one)
sa.Index("merge_other", merge.c.other)

# Two persons who may be one: for a human to decide. `person` is the lower id.
suspect = sa.Table(
    "suspect",
    metadata,
    sa.Column("id", _id, primary_key=True, autoincrement=True),
    sa.Column("person", _id, nullable=False),
    sa.Column("other", _id, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # open | accepted | refused | never
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.Column("decided_at", _time),
    sa.UniqueConstraint("person", "other", name="suspect_pair"),
    sqlite_autoincrement=True,
)
sa.Index(
    "suspect_open", suspect.c.id, sqlite_where=suspect.c.state == "open", postgresql_where=suspect.c.state == "open"
)
sa.Index("suspect_other", suspect.c.other)

# Keys that name nobody in particular: found by use, or said by a human. Those known by rule are in hub.identity.
nobody = sa.Table(
    "nobody",
    metadata,
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("how", sa.Text, nullable=False),  # use | human
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", _time, nullable=False),
    sa.PrimaryKeyConstraint("kind", "value", name="nobody_pk"),
)

# Near spellings of a person's phones and e-mails, as numbers (hub.likeness): who shares one may be the same human.
likeness = sa.Table(
    "likeness",
    metadata,
    sa.Column("word", sa.BigInteger, nullable=False),
    sa.Column("person", _id, nullable=False),
    sa.PrimaryKeyConstraint("word", "person", name="likeness_pk"),
    sqlite_with_rowid=False,
)
sa.Index("likeness_person", likeness.c.person)
