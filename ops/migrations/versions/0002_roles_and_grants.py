"""A role for each service with what it may read and write, and the triggers that wake the outbox relays.

The roles are made without LOGIN: a deployment gives each a password (``ALTER ROLE autos_api LOGIN PASSWORD ...``)
or grants it to a login role of its own. Roles belong to the whole server, so the downgrade drops one only where
no other database uses it.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLES = ("autos_api", "autos_downloader", "autos_status", "autos_notifier")
OUTBOXES = ("catalog", "progress", "delivery")

# Whole schemas that a service owns: it alone writes them.
OWNED = {
    "autos_api": "catalog",
    "autos_downloader": "source",
    "autos_status": "progress",
    "autos_notifier": "delivery",
}

# What is read elsewhere.
READ = {
    "autos_api": [
        "ALL TABLES IN SCHEMA progress",
        "ALL TABLES IN SCHEMA delivery",
        "source.pauses",
        "source.credentials",
    ],
    "autos_downloader": [
        "catalog.processes",
        "catalog.documents",
        "catalog.jobs",
        "progress.jobs",
        "progress.job_documents",
        "progress.documents",
    ],
    "autos_status": [],
    "autos_notifier": [
        "catalog.processes",
        "catalog.documents",
        "catalog.jobs",
        "catalog.clients",
        "progress.jobs",
        "progress.job_documents",
        "progress.documents",
    ],
}
USAGE = {
    "autos_api": ["progress", "delivery", "source"],
    "autos_downloader": ["catalog", "progress"],
    "autos_status": [],
    "autos_notifier": ["catalog", "progress"],
}

# The one exception to "one writer per table": what is read from the source, when the discovery was put off.
SHARED_WRITE = {"autos_downloader": ["catalog.processes", "catalog.documents"]}


def upgrade() -> None:
    for role in ROLES:
        # Two databases of one server may be migrated at the same moment.
        op.execute(
            f"""
            DO $$ BEGIN
                CREATE ROLE {role} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
            """
        )
    for role, schema in OWNED.items():
        op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}")
        op.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}")
    for role, schemas in USAGE.items():
        for schema in schemas:
            op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for role, targets in READ.items():
        for target in targets:
            op.execute(f"GRANT SELECT ON {target} TO {role}")
    for role, tables in SHARED_WRITE.items():
        for table in tables:
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")

    op.execute(
        """
        CREATE FUNCTION public.autos_outbox_written() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('autos_outbox', TG_TABLE_SCHEMA);
            RETURN NULL;
        END $$
        """
    )
    for schema in OUTBOXES:
        op.execute(
            f"""
            CREATE TRIGGER outbox_written AFTER INSERT ON {schema}.outbox
            FOR EACH STATEMENT EXECUTE FUNCTION public.autos_outbox_written()
            """
        )


def downgrade() -> None:
    for schema in OUTBOXES:
        op.execute(f"DROP TRIGGER outbox_written ON {schema}.outbox")
    op.execute("DROP FUNCTION public.autos_outbox_written()")
    for role in ROLES:
        op.execute(
            f"""
            DO $$ BEGIN
                DROP OWNED BY {role};
                DROP ROLE {role};
            EXCEPTION WHEN dependent_objects_still_exist THEN NULL;
            END $$
            """
        )
