"""How each source stands and did by hour, and the changes of it that were announced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (("state", sa.Text()), ("reason", sa.Text()), ("state_since", sa.DateTime(timezone=True))):
        op.add_column("workers", sa.Column(name, kind), schema="source")
    op.create_table(
        "states",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_states"),
        schema="source",
    )
    op.create_table(
        "request_hours",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("court", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "court", "hour", "outcome", "bucket", name="pk_request_hours"),
        schema="source",
    )
    op.create_index("ix_request_hours_hour", "request_hours", ["hour"], schema="source")
    op.create_table(
        "source_notices",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_source_notices"),
        schema="delivery",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON source.states, source.request_hours TO autos_downloader")
    op.execute("GRANT SELECT ON source.states, source.request_hours TO autos_api")
    op.execute("GRANT USAGE ON SCHEMA source TO autos_notifier")
    op.execute("GRANT SELECT ON source.states TO autos_notifier")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.source_notices TO autos_notifier")


def downgrade() -> None:
    op.drop_table("source_notices", schema="delivery")
    op.drop_table("request_hours", schema="source")
    op.drop_table("states", schema="source")
    op.execute("REVOKE USAGE ON SCHEMA source FROM autos_notifier")
    for name in ("state_since", "reason", "state"):
        op.drop_column("workers", name, schema="source")
