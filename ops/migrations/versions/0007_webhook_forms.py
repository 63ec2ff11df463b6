"""An endpoint that refused a body as too large is remembered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "endpoints",
        sa.Column("body_form", sa.Integer(), nullable=False, server_default=sa.text("0")),
        schema="delivery",
    )
    op.add_column("endpoints", sa.Column("body_form_at", sa.DateTime(timezone=True)), schema="delivery")


def downgrade() -> None:
    for name in ("body_form_at", "body_form"):
        op.drop_column("endpoints", name, schema="delivery")
