"""Batches of writes that can be taken back, and receipts of what was erased."""

import sqlalchemy as sa
from alembic import op

revision = "003"
down_revision = "002"

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns of batches and the table of erasures."""
    op.add_column("delivery", sa.Column("batch", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("given", sa.Text(), nullable=True))
    op.create_index(
        "delivery_batch",
        "delivery",
        ["batch", "id"],
        unique=False,
        sqlite_where=sa.text("batch IS NOT NULL"),
        postgresql_where=sa.text("batch IS NOT NULL"),
    )
    op.create_table(
        "erasure",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("persons", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
