"""What PostgreSQL did: statements from its log, switched on while it runs; rows, commits, WAL from its views."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import psycopg2

_PREFIX: Final = "counted %u "
_LINE: Final = re.compile(r"counted (\S+) LOG:  (?:statement|execute [^:]*): *(.*)")
_OF_A_RELAY: Final = re.compile(r"\.outbox|EXECUTE (read|mark)_\w+_outbox")
_CONTROL: Final = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "START"})
FLUSHED_SECONDS: Final = 11.0
"""A backend that has nothing to do hands in its counters after 10 seconds (IDLE_STATS_UPDATE_TIMEOUT)."""

_TOTALS: Final = """
SELECT d.xact_commit, d.xact_rollback, d.tup_inserted, d.tup_updated, d.tup_deleted, d.tup_fetched, w.wal_bytes,
       w.wal_records, (SELECT coalesce(sum(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal')
FROM pg_stat_database d, pg_stat_wal w WHERE d.datname = current_database()
"""
_NAMES: Final = (
    "SQL transactions committed",
    "SQL transactions rolled back",
    "SQL rows inserted",
    "SQL rows updated",
    "SQL rows deleted",
    "SQL rows fetched",
    "WAL bytes",
    "WAL records",
    "WAL flushes",
)
_TABLES: Final = """
SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, idx_scan FROM pg_stat_user_tables
"""


def log_statements(url: str, on: bool) -> None:
    """Switch the log of statements on or off; ``url`` is the owner's."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER SYSTEM SET log_line_prefix = '{_PREFIX}'")
            cursor.execute(f"ALTER SYSTEM SET log_statement = '{'all' if on else 'none'}'")
            cursor.execute("SELECT pg_reload_conf()")
    finally:
        connection.close()


def statements(lines: Iterable[str]) -> Counter[str]:
    """Statements of the services by role.

    BEGIN and the like are counted apart: they are round trips too. So are those of an outbox's relay, which depend on
    how many events it finds at once.
    """
    found: Counter[str] = Counter()
    for role, statement in _entries(lines):
        verb = statement.split(None, 1)[0].upper().rstrip(";") if statement else ""
        if verb in _CONTROL:
            found["SQL BEGIN, COMMIT, ROLLBACK"] += 1
            found[f"SQL {verb} of {role}"] += verb in {"COMMIT", "ROLLBACK"}
        elif verb != "INSERT" and _OF_A_RELAY.search(statement):
            found["SQL statements of relays"] += 1
        else:
            found["SQL statements"] += 1
            found[f"SQL statements of {role}"] += 1
    return +found


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Role and text of each statement of a service; the lines of a statement after its first begin with a tab."""
    role, text = "", ""
    for line in lines:
        if line.startswith("\t") and role:
            text = f"{text} {line.strip()}".strip()
            continue
        if role:
            yield role, text
        match = _LINE.match(line)
        role, text = (match.group(1), match.group(2).strip()) if match and match.group(1) != "postgres" else ("", "")
    if role:
        yield role, text


def read(url: str) -> dict[str, float]:
    """The counters of its views; the ones of each table are named by it."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_TOTALS)
            row = cursor.fetchone()
            assert row is not None
            counters = {name: float(value) for name, value in zip(_NAMES, row, strict=True)}
            cursor.execute(_TABLES)
            for table, inserted, updated, looked_up in cursor.fetchall():
                counters[f"SQL rows inserted into {table}"] = float(inserted)
                counters[f"SQL rows updated in {table}"] = float(updated)
                counters[f"SQL index scans of {table}"] = float(looked_up or 0)
    finally:
        connection.close()
    return counters
