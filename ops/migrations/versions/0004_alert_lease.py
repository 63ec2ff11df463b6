"""A lease on an alert: who tells people holds it for minutes, so that an alert survives the end of its teller."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("alert_lease_until", sa.DateTime(timezone=True)), schema="delivery")


def downgrade() -> None:
    op.drop_column("endpoints", "alert_lease_until", schema="delivery")
