"""Schema ``source``: what the workers share about PDPJ: credentials, who is alive, a pause. Written by downloader."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text, text

from shared.db.tables import METADATA, moment

SCHEMA: Final = "source"

credentials = Table(
    "credentials",
    METADATA,
    Column("name", Text, primary_key=True),
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
    # One row a live worker: the source's concurrency is shared among them.
    Column("worker_id", Text, primary_key=True),
    moment("seen_at", nullable=False, server_default=text("now()")),
    schema=SCHEMA,
)

pauses = Table(
    "pauses",
    METADATA,
    # 'source': nobody asks the source before this moment (Retry-After of a 429).
    Column("name", Text, primary_key=True),
    moment("until", nullable=False),
    schema=SCHEMA,
)
