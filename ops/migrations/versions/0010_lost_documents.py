"""When the object of an available document was found to be gone for good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True), schema="progress")


def downgrade() -> None:
    op.drop_column("documents", "lost_at", schema="progress")
