"""Deleting a case: what was ordered and by whom, the jobs that are gone, and how far each service is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

STEPS = {"source": "autos_downloader", "progress": "autos_status", "delivery": "autos_notifier"}


def upgrade() -> None:
    op.create_table(
        "case_deletions",
        sa.Column("deletion_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("process_number", sa.Text()),
        sa.Column("nonce", sa.Text()),
        sa.Column("case_digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text()),
        sa.Column("key_id", sa.Uuid(as_uuid=False)),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("removed", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column(
            "document_hashes", postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'::text[]")
        ),
        sa.PrimaryKeyConstraint("deletion_id", name="pk_case_deletions"),
        schema="catalog",
    )
    op.create_index(
        "uq_case_deletions_open",
        "case_deletions",
        ["process_number"],
        unique=True,
        schema="catalog",
        postgresql_where=sa.text("process_number IS NOT NULL"),
    )
    op.create_index("ix_case_deletions_requested", "case_deletions", ["requested_at", "deletion_id"], schema="catalog")
    op.create_table(
        "deleted_jobs",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("deletion_id", sa.Uuid(as_uuid=False)),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("job_id", name="pk_deleted_jobs"),
        schema="catalog",
    )
    op.create_index("ix_deleted_jobs_deletion_id", "deleted_jobs", ["deletion_id"], schema="catalog")
    op.create_index("ix_deleted_jobs_deleted", "deleted_jobs", ["deleted_at", "job_id"], schema="catalog")
    op.create_index("ix_jobs_created", "jobs", ["created_at"], schema="catalog")
    # The cases that nobody has asked for in a long time.
    op.create_index("ix_process_requests_last", "process_requests", ["last_requested_at"], schema="catalog")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.case_deletions, catalog.deleted_jobs TO autos_api")
    op.execute("GRANT USAGE ON SCHEMA catalog TO autos_status")
    for schema, role in STEPS.items():
        op.create_table(
            "deletion_steps",
            sa.Column("deletion_id", sa.Uuid(as_uuid=False), nullable=False),
            sa.Column("removed", postgresql.JSONB(), nullable=False),
            sa.Column("done_at", sa.DateTime(timezone=True)),
            sa.PrimaryKeyConstraint("deletion_id", name="pk_deletion_steps"),
            schema=schema,
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.deletion_steps TO {role}")
        op.execute(f"GRANT SELECT ON {schema}.deletion_steps TO autos_api")
        op.execute(
            "GRANT SELECT (deletion_id, process_number, requested_at, completed_at)"
            f" ON catalog.case_deletions TO {role}"
        )
        op.execute(f"GRANT SELECT ON catalog.deleted_jobs TO {role}")


def downgrade() -> None:
    for schema in STEPS:
        op.drop_table("deletion_steps", schema=schema)
    op.drop_index("ix_process_requests_last", table_name="process_requests", schema="catalog")
    op.drop_index("ix_jobs_created", table_name="jobs", schema="catalog")
    op.drop_table("deleted_jobs", schema="catalog")
    op.drop_table("case_deletions", schema="catalog")
