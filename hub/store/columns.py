"""What all tables share: one metadata, ids that SQLite counts too, times as epoch seconds (UTC)."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.Double
