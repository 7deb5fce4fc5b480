"""The person: golden record, how each event was matched, merges, suspects, keys of nobody, likeness."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "002"
down_revision = "001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _partial(where: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}


def upgrade() -> None:
    """Add what one person is known by and how it came to be so. Persons of before are compared one after the other."""
    op.add_column("event", sa.Column("matched", sa.Text(), nullable=True))
    op.create_index("event_person", "event", ["person", "at"], unique=False)
    op.add_column("person", sa.Column("record", sa.Text(), nullable=True))
    op.add_column("person", sa.Column("changed_at", sa.Double(), nullable=True))
    op.add_column("person", sa.Column("compared", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("person_into", "person", ["into"], unique=False, **_partial('"into" IS NOT NULL'))
    op.create_index("person_uncompared", "person", ["id"], unique=False, **_partial("NOT compared"))
    op.add_column("person_key", sa.Column("via", sa.Text(), nullable=True))
    op.create_table(
        "merge",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("survivor", _ID, nullable=False),
        sa.Column("merged", _ID, nullable=False),
        sa.Column("one", _ID, nullable=False),
        sa.Column("other", _ID, nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=True),
        sa.Column("moved", sa.Text(), nullable=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("undone_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("merge_one", "merge", ["one"], unique=False)
    op.create_index("merge_other", "merge", ["other"], unique=False)
    op.create_table(
        "suspect",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("person", _ID, nullable=False),
        sa.Column("other", _ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("decided_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("person", "other", name="suspect_pair"),
        sqlite_autoincrement=True,
    )
    op.create_index("suspect_open", "suspect", ["id"], unique=False, **_partial("state = 'open'"))
    op.create_index("suspect_other", "suspect", ["other"], unique=False)
    op.create_table(
        "nobody",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name="nobody_pk"),
    )
    op.create_table(
        "likeness",
        sa.Column("word", sa.BigInteger(), nullable=False),
        sa.Column("person", _ID, nullable=False),
        sa.PrimaryKeyConstraint("word", "person", name="likeness_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("likeness_person", "likeness", ["person"], unique=False)
