"""Schema ``source``: what the downloader's workers share: credentials, who is alive, pauses, plans that wait.

And how each source stands and did by hour. Written by downloader; the last two are read by api, and the states by
notifier.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.tables import METADATA, identifier, moment

SCHEMA: Final = "source"

credentials = Table(
    "credentials",
    METADATA,
    Column("name", Text, primary_key=True),
    # Encrypted where there is AUTOS_SECRETS_KEY (shared/secrets), as the refresh token is.
    Column("access_token", Text),
    Column("refresh_token", Text),
    moment("expires_at"),
    Column("generation", BigInteger, nullable=False, server_default=text("0")),
    Column("refused_count", Integer, nullable=False, server_default=text("0")),
    moment("refused_until"),
    moment("updated_at", nullable=False, server_default=text("now()")),
    schema=SCHEMA,
)

workers = Table(
    "workers",
    METADATA,
    # One row for each live worker and source, with an id of its own: its rows share a source's concurrency.
    Column("worker_id", Text, primary_key=True),
    Column("source", Text, nullable=False, server_default=text("'pdpj'")),
    moment("seen_at", nullable=False, server_default=text("now()")),
    # Since when this worker finds everything forbidden by a firewall; null: it does not.
    moment("forbidden_since"),
    # When the source itself last answered this worker.
    moment("answered_at"),
    # What this worker finds (shared/domain/source_state.py), why, and since when; null: nothing yet.
    Column("state", Text),
    Column("reason", Text),
    moment("state_since"),
    schema=SCHEMA,
)

states = Table(
    "states",
    METADATA,
    # What all live workers find together; one row for each source, changed by the worker that sees the change first.
    Column("source", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    moment("since", nullable=False),
    schema=SCHEMA,
)

request_hours = Table(
    "request_hours",
    METADATA,
    # How many requests of an hour ended so, at one court. Kept for 30 days.
    Column("source", Text, primary_key=True),
    # J.TR of the case's number, such as 8.26; "other" where there would be too many.
    Column("court", Text, primary_key=True),
    moment("hour", primary_key=True),
    # "succeeded", or the code of the error (sources/errors.py).
    Column("outcome", Text, primary_key=True),
    # Of shared/domain/latency.py; -1 where the time says nothing, since no answer came in full.
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Index("ix_request_hours_hour", "hour"),
    schema=SCHEMA,
)

pauses = Table(
    "pauses",
    METADATA,
    # Nobody asks the source before this moment (Retry-After of a 429). 'source' is the name of PDPJ's pause.
    Column("name", Text, primary_key=True),
    Column("source", Text, nullable=False, server_default=text("'pdpj'")),
    moment("until", nullable=False),
    schema=SCHEMA,
)

plans = Table(
    "plans",
    METADATA,
    # What was decided for a job that is too large to be requested at once; removed when the job has ended.
    identifier("plan_id", primary_key=True),
    identifier("job_id", nullable=False, index=True),
    Column("process_number", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("available", Integer, nullable=False),
    # Documents whose earlier failure is told again.
    Column("reminded", ARRAY(Uuid(as_uuid=False)), nullable=False),
    moment("created_at", nullable=False, server_default=text("now()")),
    schema=SCHEMA,
)

plan_windows = Table(
    "plan_windows",
    METADATA,
    Column("plan_id", Uuid(as_uuid=False), ForeignKey("source.plans.plan_id", ondelete="CASCADE"), primary_key=True),
    # From 0; the first is requested when the job is planned.
    Column("number", Integer, primary_key=True),
    Column("document_ids", ARRAY(Uuid(as_uuid=False)), nullable=False),
    # topic/partition/offset of the record that released it.
    Column("released_by", Text),
    moment("released_at"),
    schema=SCHEMA,
)
