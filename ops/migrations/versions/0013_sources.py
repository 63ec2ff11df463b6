"""Rows say which source they are about: cases and documents, workers and pauses. What is there is PDPJ's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = (("catalog", "processes"), ("catalog", "documents"), ("source", "workers"), ("source", "pauses"))


def upgrade() -> None:
    for schema, name in TABLES:
        # With a default, which the release before this one relies on while both run.
        column = sa.Column("source", sa.Text(), nullable=False, server_default=sa.text("'pdpj'"))
        op.add_column(name, column, schema=schema)
    op.execute("GRANT SELECT (source) ON source.workers TO autos_api")


def downgrade() -> None:
    for schema, name in reversed(TABLES):
        op.drop_column(name, "source", schema=schema)
