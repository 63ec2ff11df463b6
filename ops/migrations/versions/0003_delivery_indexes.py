"""Indexes of deliveries: what is due is found by its endpoint, a client's list by case and by status."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NEWEST: tuple[Any, ...] = (sa.literal_column("created_at DESC"), sa.literal_column("delivery_id DESC"))


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["endpoint_id", "next_attempt_at"],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("status IN ('pending', 'waiting')"),
    )
    op.create_index(
        "ix_deliveries_case", "deliveries", ["client_id", "process_number", *_NEWEST], unique=False, schema="delivery"
    )
    op.create_index(
        "ix_deliveries_status", "deliveries", ["client_id", "status", *_NEWEST], unique=False, schema="delivery"
    )
    for name in ("ix_deliveries_due", "ix_deliveries_endpoint", "ix_deliveries_job"):
        op.drop_index(name, table_name="deliveries", schema="delivery")


def downgrade() -> None:
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["next_attempt_at"],
        unique=False,
        schema="delivery",
        postgresql_where=sa.text("status IN ('pending', 'waiting')"),
    )
    op.create_index("ix_deliveries_endpoint", "deliveries", ["endpoint_id", "status"], unique=False, schema="delivery")
    op.create_index("ix_deliveries_job", "deliveries", ["job_id"], unique=False, schema="delivery")
    for name in ("ix_deliveries_open", "ix_deliveries_case", "ix_deliveries_status"):
        op.drop_index(name, table_name="deliveries", schema="delivery")
