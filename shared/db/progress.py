"""Schema ``progress``: the projection of document.events. Written by status, read by api, downloader, notifier.

Everything here can be made anew: ``autos projection rebuild`` reads document.events from its start into tables beside
these and swaps them in. So nothing else writes here, and no other schema refers to these tables.

- ``jobs``: one row a job, with its counts. ``version`` grows with every change that a client can see: the ETag.
- ``job_documents``: how each document stands within one job, for the counts.
- ``documents``: how each document of a case stands over all jobs, and where its bytes are. The row that a view shows.
- ``dead_letters``: records of document.events that can never be applied, until somebody replays or drops them.

A batch of events and the outbox rows of what ended are written in one transaction
(services/status/projection). An event that comes twice, or after a later one, changes nothing.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db.tables import METADATA, identifier, moment, outbox_table

SCHEMA: Final = "progress"

jobs = Table(
    "jobs",
    METADATA,
    identifier("job_id", primary_key=True),
    Column("process_number", Text, nullable=False),
    Column("status", Text, nullable=False),
    # Unknown (null) until the job is planned; counts the documents that were available already too.
    Column("total_documents", Integer),
    Column("completed_documents", Integer, nullable=False, server_default=text("0")),
    Column("failed_documents", Integer, nullable=False, server_default=text("0")),
    moment("created_at"),
    moment("started_at"),
    moment("planned_at"),
    moment("completed_at"),
    Column("error_code", Text),
    Column("error_message", Text),
    # Grows with every change of the job or of one of its documents: the ETag.
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    moment("updated_at", nullable=False, server_default=text("now()")),
    Index("ix_progress_jobs_process", "process_number", text("created_at DESC")),
    schema=SCHEMA,
)

job_documents = Table(
    "job_documents",
    METADATA,
    identifier("job_id", primary_key=True),
    identifier("document_id", primary_key=True),
    Column("status", Text, nullable=False),
    schema=SCHEMA,
)

documents = Table(
    "documents",
    METADATA,
    Column("process_number", Text, primary_key=True),
    identifier("document_id", primary_key=True),
    # The job whose events said this last.
    identifier("job_id", nullable=False),
    Column("status", Text, nullable=False),
    Column("object_key", Text),
    Column("sha256", Text),
    Column("size", BigInteger),
    Column("content_type", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("download_started_at"),
    moment("download_completed_at"),
    # Codes of what is odd about the stored bytes (sources/content/judgement.py).
    Column("warnings", ARRAY(Text)),
    Column("rendition", Text),
    # The revision of the listing that the bytes are of; null means 1.
    Column("revision", Integer),
    moment("replaced_at"),
    # Since when its object is known to be gone from the store, and cannot be fetched again.
    moment("lost_at"),
    # When the source's answer with the stored bytes had come, what it said with them (each "name: value",
    # sources/content/answer_headers.py), and the version of the object where the store keeps versions.
    moment("fetched_at"),
    Column("source_headers", ARRAY(Text)),
    Column("object_version", Text),
    moment("updated_at", nullable=False),
    schema=SCHEMA,
)

dead_letters = Table(
    "dead_letters",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", JSONB, nullable=False),
    moment("created_at", nullable=False, server_default=text("now()")),
    Index("uq_dead_letters_position", "topic", "partition", "offset", unique=True),
    schema=SCHEMA,
)

outbox = outbox_table(SCHEMA)
