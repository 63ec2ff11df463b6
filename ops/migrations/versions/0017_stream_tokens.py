"""Tokens that a browser follows a case with, for a few minutes, in place of a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stream_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("process_number", sa.Text()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["catalog.api_keys.key_id"], name="fk_stream_tokens_key_id_api_keys", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_stream_tokens"),
        schema="catalog",
    )
    op.create_index("ix_stream_tokens_key_id", "stream_tokens", ["key_id"], schema="catalog")
    op.create_index("ix_stream_tokens_expires_at", "stream_tokens", ["expires_at"], schema="catalog")
    op.execute("GRANT SELECT, INSERT, DELETE ON catalog.stream_tokens TO autos_api")


def downgrade() -> None:
    op.drop_table("stream_tokens", schema="catalog")
