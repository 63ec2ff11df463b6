"""Feeds have the events of every type, which the api renders; the rate of an endpoint holds over all replicas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT ON delivery.document_batches TO autos_api")
    op.create_table(
        "endpoint_starts",
        sa.Column("endpoint_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("next_start_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", name="pk_endpoint_starts"),
        schema="delivery",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.endpoint_starts TO autos_notifier")
    # No release has read or written it.
    op.drop_table("ended_jobs_to_tell", schema="delivery")


def downgrade() -> None:
    op.create_table(
        "ended_jobs_to_tell",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("process_number", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_ended_jobs_to_tell"),
        schema="delivery",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.ended_jobs_to_tell TO autos_notifier")
    op.drop_table("endpoint_starts", schema="delivery")
    op.execute("REVOKE SELECT ON delivery.document_batches FROM autos_api")
