"""What the source said with a document's bytes and when, and the version of its object: for signed manifests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0033"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable: documents that were stored before have none, and the release before this one writes none.
    op.add_column("documents", sa.Column("fetched_at", sa.DateTime(timezone=True)), schema="progress")
    op.add_column("documents", sa.Column("source_headers", ARRAY(sa.Text())), schema="progress")
    op.add_column("documents", sa.Column("object_version", sa.Text()), schema="progress")


def downgrade() -> None:
    op.drop_column("documents", "object_version", schema="progress")
    op.drop_column("documents", "source_headers", schema="progress")
    op.drop_column("documents", "fetched_at", schema="progress")
