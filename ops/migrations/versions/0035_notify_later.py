"""A transaction may say that it tells of its outbox rows by itself, once it is committed.

PostgreSQL commits transactions that NOTIFY one at a time, each with its wait for the disk.
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE OR REPLACE FUNCTION public.autos_outbox_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {body}
    RETURN NULL;
END $$
"""
NOTIFY = "PERFORM pg_notify('autos_outbox', TG_TABLE_SCHEMA);"


def upgrade() -> None:
    unless_later = f"IF current_setting('autos.notify', true) IS DISTINCT FROM 'later' THEN {NOTIFY} END IF;"
    op.execute(FUNCTION.format(body=unless_later))


def downgrade() -> None:
    op.execute(FUNCTION.format(body=NOTIFY))
