"""What accounts are made of, what of it no longer fits hub.yaml, values left out meanwhile, reconciliations."""

import sqlalchemy as sa
from alembic import op

revision = "005"
down_revision = "004"

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create their tables."""
    op.create_table(
        "fingerprint",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("gone_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("connection", "kind", "record", "code", name="fingerprint_pk"),
    )
    op.create_index(
        "fingerprint_gone",
        "fingerprint",
        ["connection"],
        sqlite_where=sa.text("gone_at IS NOT NULL"),
        postgresql_where=sa.text("gone_at IS NOT NULL"),
    )
    op.create_table(
        "drift",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "kind", "record", "code", name="drift_pk"),
    )
    op.create_table(
        "part",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("delivery", _id, nullable=False),
        sa.Column("event", _id, nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("beside", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("replay", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("delivery", "field", "ref", name="part_field"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "part_parked",
        "part",
        ["connection", "record", "ref"],
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.create_index("part_event", "part", ["event"])
    op.create_table(
        "reconciliation",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("one", sa.Text(), nullable=False),
        sa.Column("other", sa.Text(), nullable=True),
        sa.Column("since", sa.Double(), nullable=True),
        sa.Column("repair", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("nightly", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "met",
        sa.Column("run", _id, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "connection", "subject", name="met_pk"),
    )
    op.create_table(
        "difference",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("run", _id, nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("twin", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("repair", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run", "connection", "subject", name="difference_subject"),
        sqlite_autoincrement=True,
    )
