"""Registered endpoints, types of events, thin bodies on request, documents that were told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_COMPLETED = sa.text("'process.completed'")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("endpoint_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("header_names", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("sealed_headers", sa.LargeBinary()),
        sa.Column("description", sa.Text()),
        sa.Column("rate", sa.Text()),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text()),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["catalog.clients.client_id"], name="fk_webhook_endpoints_client_id_clients"
        ),
        sa.PrimaryKeyConstraint("endpoint_id", name="pk_webhook_endpoints"),
        schema="catalog",
    )
    op.create_index("ix_webhook_endpoints_client_id", "webhook_endpoints", ["client_id"], schema="catalog")
    # Whose case it is, asked when a job of the case ends.
    op.create_index("ix_process_requests_case", "process_requests", ["process_number", "client_id"], schema="catalog")
    op.add_column("job_webhooks", sa.Column("payload", sa.Text()), schema="catalog")
    op.add_column("subscriptions", sa.Column("payload", sa.Text()), schema="delivery")
    op.add_column("subscriptions", sa.Column("endpoint_id", sa.Uuid(as_uuid=False)), schema="delivery")
    for table in ("subscriptions", "deliveries"):
        op.add_column(
            table, sa.Column("event_type", sa.Text(), nullable=False, server_default=_COMPLETED), schema="delivery"
        )
    op.add_column(
        "subscriptions",
        sa.Column("part", sa.Integer(), nullable=False, server_default=sa.text("0")),
        schema="delivery",
    )
    op.add_column(
        "endpoints",
        sa.Column("registered", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        schema="delivery",
    )
    op.add_column("endpoints", sa.Column("least_seconds", sa.Float()), schema="delivery")
    op.create_table(
        "document_batches",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("process_number", sa.Text(), nullable=False),
        sa.Column("document_ids", postgresql.ARRAY(sa.Uuid(as_uuid=False)), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "part", name="pk_document_batches"),
        schema="delivery",
    )
    op.create_table(
        "ended_jobs_to_tell",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("process_number", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_ended_jobs_to_tell"),
        schema="delivery",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.webhook_endpoints TO autos_api")
    op.execute("GRANT SELECT ON catalog.webhook_endpoints, catalog.job_clients TO autos_notifier")
    op.execute("GRANT SELECT (client_id, process_number, sealed) ON catalog.process_requests TO autos_notifier")
    for table in ("document_batches", "ended_jobs_to_tell"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.{table} TO autos_notifier")


def downgrade() -> None:
    op.execute("REVOKE SELECT (client_id, process_number, sealed) ON catalog.process_requests FROM autos_notifier")
    op.execute("REVOKE SELECT ON catalog.job_clients FROM autos_notifier")
    for table in ("ended_jobs_to_tell", "document_batches"):
        op.drop_table(table, schema="delivery")
    for name in ("least_seconds", "registered"):
        op.drop_column("endpoints", name, schema="delivery")
    op.drop_column("deliveries", "event_type", schema="delivery")
    for name in ("part", "event_type", "endpoint_id", "payload"):
        op.drop_column("subscriptions", name, schema="delivery")
    op.drop_column("job_webhooks", "payload", schema="catalog")
    op.drop_index("ix_process_requests_case", table_name="process_requests", schema="catalog")
    op.drop_table("webhook_endpoints", schema="catalog")
