"""The references that clients give their requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_references",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["catalog.clients.client_id"], name="fk_job_references_client_id_clients"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["catalog.jobs.job_id"], name="fk_job_references_job_id_jobs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "client_id", name="pk_job_references"),
        schema="catalog",
    )
    op.add_column("job_webhooks", sa.Column("reference", sa.Text()), schema="catalog")
    op.add_column("subscriptions", sa.Column("reference", sa.Text()), schema="delivery")
    op.add_column(
        "process_requests",
        sa.Column("reference_changes", sa.Integer(), nullable=False, server_default=sa.text("0")),
        schema="catalog",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.job_references TO autos_api")
    op.execute("GRANT SELECT ON catalog.job_references TO autos_notifier")
    # ProcessCompleted has the reference of the client that started the job.
    op.execute("GRANT USAGE ON SCHEMA catalog TO autos_status")
    op.execute("GRANT SELECT (job_id, client_id) ON catalog.jobs TO autos_status")
    op.execute("GRANT SELECT (job_id, client_id, reference) ON catalog.job_references TO autos_status")


def downgrade() -> None:
    op.execute("REVOKE SELECT (job_id, client_id) ON catalog.jobs FROM autos_status")
    op.execute("REVOKE USAGE ON SCHEMA catalog FROM autos_status")
    op.drop_column("process_requests", "reference_changes", schema="catalog")
    op.drop_column("subscriptions", "reference", schema="delivery")
    op.drop_column("job_webhooks", "reference", schema="catalog")
    op.drop_table("job_references", schema="catalog")
