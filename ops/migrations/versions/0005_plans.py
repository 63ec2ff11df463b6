"""Plans that wait for their turn, and jobs that try again what failed for good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column("retry_failed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        schema="catalog",
    )
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("process_number", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("available", sa.Integer(), nullable=False),
        sa.Column("reminded", postgresql.ARRAY(sa.Uuid(as_uuid=False)), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plans")),
        schema="source",
    )
    op.create_index(op.f("ix_plans_job_id"), "plans", ["job_id"], unique=False, schema="source")
    op.create_table(
        "plan_windows",
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document_ids", postgresql.ARRAY(sa.Uuid(as_uuid=False)), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["source.plans.plan_id"], name=op.f("fk_plan_windows_plan_id_plans"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("plan_id", "number", name=op.f("pk_plan_windows")),
        schema="source",
    )
    for table in ("plans", "plan_windows"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON source.{table} TO autos_downloader")


def downgrade() -> None:
    op.drop_table("plan_windows", schema="source")
    op.drop_table("plans", schema="source")
    op.drop_column("jobs", "retry_failed", schema="catalog")
