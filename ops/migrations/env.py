"""Alembic's environment: runs the migrations on the connection that :mod:`ops.migrations.run` hands over."""

from __future__ import annotations

from alembic import context

from shared.db.schema import METADATA, SCHEMAS


def _include(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "schema" or name in SCHEMAS


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_schemas=True,
    include_name=_include,
    compare_type=True,
    compare_server_default=False,
    version_table="alembic_version",
    version_table_schema="public",
)
with context.begin_transaction():
    context.run_migrations()
