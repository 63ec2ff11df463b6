"""Run the migrations: ``upgrade(owner_url)``; also ``python -m ops.migrations.run upgrade|downgrade|check``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from shared.db.command_transaction import command_transaction
from shared.db.schema import METADATA, SCHEMAS

_log = logging.getLogger(__name__)
_LOCK: Final = 0x6175746F73  # "autos": only one process migrates at a time
_NAME: Final = "autos-migrate"


def _with(owner_url: str, work: Callable[[Config], None]) -> None:
    with command_transaction(owner_url, _NAME) as connection:
        # Transaction-scoped: the lock ends with the migration, whatever happens to the process.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        work(_config(connection))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the database to ``revision``, in one transaction. ``owner_url`` is a role that may create schemas and
    roles.

    Several processes may call it at once: one migrates, the others wait and find nothing to do. Leaves a database alone
    that a newer version has migrated: in a rolling upgrade, and after a rollback, the older version's provisioning runs
    on the newer tables (docs/how-to/upgrade.md, "What may change").
    """

    def migrate(config: Config) -> None:
        newer = _newer_revision(config)
        if newer is None:
            command.upgrade(config, revision)
        else:
            _log.warning("A newer version has migrated the database; it is left as it is", extra={"revision": newer})

    _with(owner_url, migrate)


def _newer_revision(config: Config) -> str | None:
    """The database's revision where it comes after every one that this version knows."""
    connection: Connection = config.attributes["connection"]
    current = MigrationContext.configure(connection, opts={"version_table_schema": "public"}).get_current_revision()
    ours = ScriptDirectory.from_config(config).get_current_head()
    # Revisions are numbers of four digits.
    return current if current is not None and ours is not None and current > ours else None


def downgrade(owner_url: str, revision: str = "base") -> None:
    """Take the database back to ``revision``; ``base`` leaves it empty. What only newer tables hold is lost."""
    _with(owner_url, lambda config: command.downgrade(config, revision))


def make_revision(owner_url: str, message: str) -> None:
    """Write a new revision with the differences between the tables and the database; to be read and corrected."""

    def write(config: Config) -> None:
        command.revision(config, message=message, autogenerate=True)

    _with(owner_url, write)


def differences(owner_url: str) -> list[object]:
    """What the table definitions and the migrated database do not agree on; empty when all is well."""
    with command_transaction(owner_url, _NAME) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name in SCHEMAS,
                "compare_type": True,
            },
        )
        return list(compare_metadata(context, METADATA))


def main(arguments: list[str]) -> int:
    """The command line; the database is AUTOS_DATABASE_URL, as its owner."""
    url = os.environ.get("AUTOS_DATABASE_URL")
    if not url or len(arguments) < 1 or arguments[0] not in {"upgrade", "downgrade", "check", "revision"}:
        sys.stderr.write("usage: AUTOS_DATABASE_URL=... python -m ops.migrations.run upgrade|downgrade|check\n")
        return 2
    if arguments[0] == "revision":
        make_revision(url, " ".join(arguments[1:]))
        return 0
    if arguments[0] == "check":
        found = differences(url)
        for difference in found:
            sys.stderr.write(f"{difference}\n")
        return 1 if found else 0
    (upgrade if arguments[0] == "upgrade" else downgrade)(url)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
