"""The headers of each attempt at a webhook, as its client is shown them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable: the release before this one writes no headers while both run.
    op.add_column("attempts", sa.Column("request_headers", JSONB()), schema="delivery")


def downgrade() -> None:
    op.drop_column("attempts", "request_headers", schema="delivery")
