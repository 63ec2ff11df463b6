"""The events of each client in order, for those who pull them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feeds",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("purged_position", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("client_id", name="pk_feeds"),
        schema="delivery",
    )
    op.create_table(
        "feed_events",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("process_number", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "position", name="pk_feed_events"),
        schema="delivery",
    )
    op.create_index(
        "uq_feed_events_event",
        "feed_events",
        ["client_id", "job_id", "event_type", "part"],
        unique=True,
        schema="delivery",
    )
    op.create_index(
        "ix_feed_events_case", "feed_events", ["client_id", "process_number", "position"], schema="delivery"
    )
    op.create_index("ix_feed_events_recorded", "feed_events", ["recorded_at"], schema="delivery")
    # The ends of the last minutes are looked at again, for clients whose request was committed a moment after.
    op.create_index("ix_completions_recorded", "completions", ["recorded_at"], schema="delivery")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.feeds, delivery.feed_events TO autos_notifier")
    op.execute("GRANT SELECT ON delivery.feeds, delivery.feed_events TO autos_api")
    op.execute("GRANT SELECT (first_requested_at) ON catalog.process_requests TO autos_notifier")


def downgrade() -> None:
    op.execute("REVOKE SELECT (first_requested_at) ON catalog.process_requests FROM autos_notifier")
    op.drop_index("ix_completions_recorded", table_name="completions", schema="delivery")
    op.drop_table("feed_events", schema="delivery")
    op.drop_table("feeds", schema="delivery")
