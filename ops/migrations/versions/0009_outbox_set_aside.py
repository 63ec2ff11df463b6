"""Outbox rows that the broker will never take are set aside; a role that makes API keys, so that api cannot."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OUTBOXES = ("catalog", "progress", "delivery")
KEYS_ROLE = "autos_keys"
# How an outbox stands, without what is in it.
STANDING = "seq, created_at, published_at, set_aside_at, reason"
SECRETS = "webhook_secret, previous_webhook_secret, previous_secret_until"


def upgrade() -> None:
    for schema in OUTBOXES:
        op.add_column("outbox", sa.Column("set_aside_at", sa.DateTime(timezone=True)), schema=schema)
        op.add_column("outbox", sa.Column("reason", sa.Text()), schema=schema)
        op.drop_index(f"ix_{schema}_outbox_unpublished", table_name="outbox", schema=schema)
        op.create_index(
            f"ix_{schema}_outbox_unpublished",
            "outbox",
            ["seq"],
            schema=schema,
            postgresql_where=sa.text("published_at IS NULL AND set_aside_at IS NULL"),
        )
        op.create_index(
            f"ix_{schema}_outbox_set_aside",
            "outbox",
            ["seq"],
            schema=schema,
            postgresql_where=sa.text("set_aside_at IS NOT NULL"),
        )
    op.create_table(
        "outbox_alerts",
        sa.Column("outbox", sa.Text(), primary_key=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        schema="delivery",
    )
    # The notifier tells people; it sees when and why, not what.
    for schema in ("catalog", "progress"):
        op.execute(f"GRANT SELECT ({STANDING}) ON {schema}.outbox TO autos_notifier")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON delivery.outbox_alerts TO autos_notifier")
    op.execute("GRANT SELECT ON delivery.outbox_alerts TO autos_api")
    _make_keys_role()


def _make_keys_role() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            CREATE ROLE {KEYS_ROLE} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    op.execute(f"GRANT USAGE ON SCHEMA catalog TO {KEYS_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (revoked_at) ON catalog.api_keys TO {KEYS_ROLE}")
    op.execute(f"GRANT SELECT (client_id, name, created_at, disabled_at), INSERT ON catalog.clients TO {KEYS_ROLE}")
    op.execute("REVOKE INSERT, UPDATE, DELETE ON catalog.api_keys FROM autos_api")
    op.execute("REVOKE INSERT, UPDATE, DELETE ON catalog.clients FROM autos_api")
    op.execute(f"GRANT UPDATE ({SECRETS}) ON catalog.clients TO autos_api")


def downgrade() -> None:
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.api_keys, catalog.clients TO autos_api")
    op.execute(
        f"""
        DO $$ BEGIN
            DROP OWNED BY {KEYS_ROLE};
            DROP ROLE {KEYS_ROLE};
        EXCEPTION WHEN dependent_objects_still_exist THEN NULL;
        END $$
        """
    )
    for schema in ("catalog", "progress"):
        op.execute(f"REVOKE SELECT ({STANDING}) ON {schema}.outbox FROM autos_notifier")  # noqa: S608
    op.drop_table("outbox_alerts", schema="delivery")
    for schema in OUTBOXES:
        op.drop_index(f"ix_{schema}_outbox_set_aside", table_name="outbox", schema=schema)
        op.drop_index(f"ix_{schema}_outbox_unpublished", table_name="outbox", schema=schema)
        # What was set aside must not be published by surprise by the release before.
        op.execute(f"UPDATE {schema}.outbox SET published_at = set_aside_at WHERE set_aside_at IS NOT NULL")  # noqa: S608
        op.create_index(
            f"ix_{schema}_outbox_unpublished",
            "outbox",
            ["seq"],
            schema=schema,
            postgresql_where=sa.text("published_at IS NULL"),
        )
        op.drop_column("outbox", "reason", schema=schema)
        op.drop_column("outbox", "set_aside_at", schema=schema)
