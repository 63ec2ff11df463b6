"""Who read what of which case: rows that are added and never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA audit")
    op.create_table(
        "access_log",
        sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("client_id", sa.Text()),
        sa.Column("key_id", sa.Uuid(as_uuid=False)),
        sa.Column("process_number", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Uuid(as_uuid=False)),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("documents", sa.Integer()),
        sa.Column("links", sa.Integer()),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("trace_id", sa.Text()),
        sa.PrimaryKeyConstraint("entry_id", name="pk_access_log"),
        schema="audit",
    )
    op.create_index("ix_access_log_case", "access_log", ["process_number", "entry_id"], schema="audit")
    op.create_index("ix_access_log_client", "access_log", ["client_id", "entry_id"], schema="audit")
    op.create_index("ix_access_log_at", "access_log", ["at"], schema="audit")
    op.execute("GRANT USAGE ON SCHEMA audit TO autos_api, autos_notifier")
    # Nobody changes a row. Who adds them deletes none, and who deletes what is too old reads nothing of them.
    op.execute("GRANT SELECT, INSERT ON audit.access_log TO autos_api")
    op.execute("GRANT INSERT, DELETE, SELECT (entry_id, at) ON audit.access_log TO autos_notifier")


def downgrade() -> None:
    op.drop_table("access_log", schema="audit")
    op.execute("DROP SCHEMA audit")
