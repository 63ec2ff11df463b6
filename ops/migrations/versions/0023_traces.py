"""The trace that began a job, so that its webhooks are in it, and the span of each attempt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("traceparent", sa.Text()), schema="catalog")
    op.add_column("attempts", sa.Column("span_id", sa.Text()), schema="delivery")


def downgrade() -> None:
    op.drop_column("attempts", "span_id", schema="delivery")
    op.drop_column("jobs", "traceparent", schema="catalog")
