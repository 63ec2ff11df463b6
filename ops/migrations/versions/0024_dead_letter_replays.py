"""Dead letters that were sent again over HTTP, and what lets the api have an event set aside published again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

OUTBOXES = ("catalog", "progress", "delivery")


def upgrade() -> None:
    op.create_table(
        "dead_letter_replays",
        sa.Column("letter_id", sa.Text(), nullable=False),
        sa.Column("died_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.PrimaryKeyConstraint("letter_id", "died_at", name="pk_dead_letter_replays"),
        schema="catalog",
    )
    op.create_index("ix_dead_letter_replays_replayed", "dead_letter_replays", ["replayed_at"], schema="catalog")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.dead_letter_replays TO autos_api")
    for schema in OUTBOXES:
        # Runs with its owner's rights: who may call it changes nothing else of the table.
        op.execute(f"""
        CREATE FUNCTION {schema}.publish_again(event bigint) RETURNS boolean
        LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            UPDATE {schema}.outbox SET set_aside_at = NULL, reason = NULL, created_at = now()
             WHERE seq = event AND set_aside_at IS NOT NULL AND published_at IS NULL
            RETURNING true
        $$
        """)  # noqa: S608 - names of our own
        op.execute(f"REVOKE ALL ON FUNCTION {schema}.publish_again(bigint) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {schema}.publish_again(bigint) TO autos_api")


def downgrade() -> None:
    for schema in OUTBOXES:
        op.execute(f"DROP FUNCTION {schema}.publish_again(bigint)")
    op.drop_table("dead_letter_replays", schema="catalog")
