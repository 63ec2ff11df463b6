"""Schema ``audit``: who read what of which case. Rows are added, never changed; the notifier deletes those too old.

A deletion of a case leaves its rows: they are the proof of who had read it. docs/adr/0043-access-log.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)

from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json
from shared.db.tables import METADATA, identifier, moment
from shared.db.visibility import sealed_text
from shared.domain.secrecy import PUBLIC_LEVEL

SCHEMA: Final = "audit"

access_log = Table(
    "access_log",
    METADATA,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    # The database's clock.
    moment("at", nullable=False, server_default=text("clock_timestamp()")),
    # Null: an operator, by a command.
    Column("client_id", Text),
    identifier("key_id"),
    Column("process_number", Text, nullable=False),
    # The one document that was read or whose link was made; null: the answer was about the case.
    identifier("document_id"),
    # The method and the template of the route, or the command.
    Column("route", Text, nullable=False),
    Column("status", SmallInteger),
    # How many documents the answer listed or held, and how many links to documents it had. Null: a stream.
    Column("documents", Integer),
    Column("links", Integer),
    # Whether the case, or something of it that the key may see, was above PUBLICO or of unknown secrecy.
    Column("sealed", Boolean, nullable=False),
    # Where the request came from (AUTOS_API_TRUSTED_PROXIES).
    Column("address", Text),
    Column("request_id", Text),
    Column("trace_id", Text),
    Index("ix_access_log_case", "process_number", "entry_id"),
    Index("ix_access_log_client", "client_id", "entry_id"),
    Index("ix_access_log_at", "at"),
    schema=SCHEMA,
)


@dataclass(frozen=True, slots=True)
class CaseRead:
    """One case in one answer: a row of the log."""

    process_number: str
    route: str
    client_id: str | None = None
    key_id: str | None = None
    document_id: str | None = None
    status: int | None = None
    documents: int | None = None
    links: int | None = None
    sees_sealed: bool = False
    """Whether the key has the scope ``sealed``: without it nothing sealed was in the answer."""
    address: str | None = None
    request_id: str | None = None
    trace_id: str | None = None


# OFFSET 0 has each case looked up by its number: of any JSON the server expects a hundred rows, and reads all cases.
# What is sealed is looked up here, where the row is written, so that no route can forget to say it.
_ADD: Final = PreparedText(
    "add_reads",
    f"""
INSERT INTO audit.access_log (client_id, key_id, process_number, document_id, route, status, documents, links, sealed,
                              address, request_id, trace_id)
SELECT r.client_id, r.key_id, r.process_number, r.document_id, r.route, r.status, r.documents, r.links,
       r.sees_sealed AND p.process_number IS NOT NULL AND (p.secrecy_level IS DISTINCT FROM {PUBLIC_LEVEL} OR EXISTS (
           SELECT FROM catalog.documents d WHERE d.process_number = r.process_number AND {sealed_text("d")}
              AND (r.document_id IS NULL OR d.document_id = r.document_id))),
       r.address, r.request_id, r.trace_id
  FROM json_to_recordset(CAST(:rows AS json)) AS r (client_id text, key_id uuid, process_number text, document_id uuid,
       route text, status smallint, documents int, links int, sees_sealed boolean, address text, request_id text,
       trace_id text)
  LEFT JOIN LATERAL (
       SELECT c.process_number, c.secrecy_level FROM catalog.processes AS c
        WHERE c.process_number = r.process_number OFFSET 0) AS p ON true
""",  # noqa: S608
    rows="text",
)
_PURGE: Final = text("""
DELETE FROM audit.access_log WHERE entry_id IN (
    SELECT entry_id FROM audit.access_log WHERE at < :before ORDER BY at LIMIT :most)
""")


def new_reads(reads: Sequence[CaseRead]) -> PreparedCall:
    """The statement of :func:`add_reads`, to be sent with others."""
    return PreparedCall(_ADD, {"rows": as_json([asdict(read) for read in reads])})


def add_reads(connection: Connection, reads: Sequence[CaseRead]) -> None:
    """Add a row for each, in one statement. The caller commits, before anybody gets what was read.

    Needs INSERT on the log and SELECT on ``catalog.processes`` and ``catalog.documents``: that of api, notifier and the
    database's owner. Raises what the database raises.
    """
    run_together(connection, new_reads(reads))


def purge_reads(connection: Connection, before: Any, *, most: int) -> int:
    """Delete at most ``most`` rows that are older, the oldest first; how many. The caller commits."""
    return connection.execute(_PURGE, {"before": before, "most": most}).rowcount
