"""What the listing says of a document (its own id, court, degree, rendition), and how the fetched one differs.

Positions become those of the case: from 1, by filing date and sequence over all degrees.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("source_id", "court", "degree", "instance", "source_hash"):
        op.add_column("documents", sa.Column(name, sa.Text()), schema="catalog")
    op.add_column(
        "documents", sa.Column("rendition", sa.Text(), nullable=False, server_default="binary"), schema="catalog"
    )
    op.add_column(
        "documents", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"), schema="catalog"
    )
    op.alter_column("documents", "source_path", nullable=True, schema="catalog")
    op.execute("UPDATE catalog.documents SET source_id = document_id::text")
    op.execute(
        """
        UPDATE catalog.documents AS d SET position = ordered.place FROM (
            SELECT process_number, document_id, row_number() OVER (
                PARTITION BY process_number ORDER BY filed_at NULLS LAST, sequence NULLS LAST, position, document_id
            ) AS place FROM catalog.documents
        ) AS ordered
        WHERE d.process_number = ordered.process_number AND d.document_id = ordered.document_id
        """
    )
    op.add_column(
        "processes",
        sa.Column("related", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
        schema="catalog",
    )
    op.add_column("documents", sa.Column("warnings", postgresql.ARRAY(sa.Text())), schema="progress")
    op.add_column("documents", sa.Column("rendition", sa.Text()), schema="progress")
    op.add_column("documents", sa.Column("revision", sa.Integer()), schema="progress")
    op.add_column("documents", sa.Column("replaced_at", sa.DateTime(timezone=True)), schema="progress")


def downgrade() -> None:
    for name in ("warnings", "rendition", "revision", "replaced_at"):
        op.drop_column("documents", name, schema="progress")
    op.drop_column("processes", "related", schema="catalog")
    op.execute("DELETE FROM catalog.documents WHERE source_path IS NULL")
    op.alter_column("documents", "source_path", nullable=False, schema="catalog")
    for name in ("source_id", "court", "degree", "instance", "source_hash", "rendition", "revision"):
        op.drop_column("documents", name, schema="catalog")
