"""Who asked for a case with the scope ``sealed``, who joined a job, and the sealed documents of a case by index.

Clients that asked before keep the cases that they asked for, without what is sealed: no key had the scope until now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FLAGGED = (("process_requests", "catalog"), ("job_webhooks", "catalog"), ("subscriptions", "delivery"))


def upgrade() -> None:
    for table, schema in _FLAGGED:
        column: sa.Column[bool] = sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        op.add_column(table, column, schema=schema)
    op.create_table(
        "job_clients",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["catalog.clients.client_id"], name="fk_job_clients_client_id_clients"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["catalog.jobs.job_id"], name="fk_job_clients_job_id_jobs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "client_id", name="pk_job_clients"),
        schema="catalog",
    )
    op.create_index(
        "ix_documents_sealed",
        "documents",
        ["process_number"],
        unique=False,
        schema="catalog",
        postgresql_where=sa.text("secrecy_level IS NOT NULL AND secrecy_level <> 'PUBLICO' AND secrecy_level <> '0'"),
    )
    op.execute(
        """
        INSERT INTO catalog.process_requests (client_id, process_number, first_requested_at, last_requested_at)
        SELECT client_id, process_number, min(at), max(at)
          FROM (SELECT client_id, process_number, created_at AS at FROM catalog.jobs
                UNION ALL
                SELECT w.client_id, j.process_number, w.created_at
                  FROM catalog.job_webhooks w JOIN catalog.jobs j USING (job_id)
                UNION ALL
                SELECT client_id, process_number, created_at FROM delivery.subscriptions) AS asked
         WHERE client_id IN (SELECT client_id FROM catalog.clients)
         GROUP BY client_id, process_number
            ON CONFLICT DO NOTHING
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.job_clients TO autos_api")
    # A case that turns out to be sealed is downloaded only for somebody who may see it.
    op.execute("GRANT SELECT (process_number, sealed) ON catalog.process_requests TO autos_downloader")


def downgrade() -> None:
    op.execute("REVOKE SELECT (process_number, sealed) ON catalog.process_requests FROM autos_downloader")
    op.drop_index("ix_documents_sealed", table_name="documents", schema="catalog")
    op.drop_table("job_clients", schema="catalog")
    for table, schema in _FLAGGED:
        op.drop_column(table, "sealed", schema=schema)
