"""Changes of a source as events of webhooks and feeds: about no case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

WITHOUT_CASE = ("subscriptions", "deliveries", "feed_events")


def upgrade() -> None:
    op.create_table(
        "source_events",
        sa.Column("event_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("degraded_since", sa.DateTime(timezone=True)),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_source_events"),
        schema="delivery",
    )
    op.create_index("ix_source_events_at", "source_events", ["at"], schema="delivery")
    op.add_column("source_notices", sa.Column("degraded_at", sa.DateTime(timezone=True)), schema="delivery")
    for table in WITHOUT_CASE:
        op.alter_column(table, "process_number", nullable=True, schema="delivery")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.source_events TO autos_notifier")
    op.execute("GRANT SELECT ON delivery.source_events TO autos_api")


def downgrade() -> None:
    op.execute(
        "DELETE FROM delivery.attempts USING delivery.deliveries AS d"
        " WHERE attempts.delivery_id = d.delivery_id AND d.process_number IS NULL"
    )
    for table in WITHOUT_CASE:
        op.execute(f"DELETE FROM delivery.{table} WHERE process_number IS NULL")  # noqa: S608 - names of our own
        op.alter_column(table, "process_number", nullable=False, schema="delivery")
    op.drop_column("source_notices", "degraded_at", schema="delivery")
    op.drop_table("source_events", schema="delivery")
