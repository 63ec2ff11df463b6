"""What readiness asks: the database, the broker, the object store, the outboxes, and whether the source is away.

Each check returns, or raises: :class:`CheckFailed` with words for an operator, or whatever its client raises.
``checks.py`` runs them side by side and judges: only what is needed to answer at all makes the service unavailable, the
rest makes it degraded (docs/adr/0011-readiness.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from confluent_kafka.admin import AdminClient
from obstore.store import S3Store
from sqlalchemy import select

from services.api.health.checks import Check, CheckFailed
from services.api.settings import ApiSettings
from shared.db import source_forbidden
from shared.db.catalog import jobs
from shared.db.engine import Database
from shared.errors import InfrastructureAway
from shared.kafka.config import common_config
from shared.outbox.inspection import outbox_states

_BROKER_SECONDS: Final = 2.0


def probes(settings: ApiSettings, database: Database, store: S3Store) -> Mapping[str, Check]:
    """The checks of one api process, by the names that ``/health/ready`` shows."""
    return {
        "database": _database(database),
        "broker": _broker(settings),
        "object_store": _object_store(store),
        "outbox": _outboxes(database),
        "source": _source(database),
    }


def _database(database: Database) -> Check:
    async def ask() -> None:
        # A table of ours: before the migrations no request can be answered.
        await database.autocommit(lambda connection: connection.execute(select(jobs.c.job_id).limit(1)))

    return ask


def _broker(settings: ApiSettings) -> Check:
    client = AdminClient(common_config(settings.kafka_bootstrap_servers, settings.kafka_config))

    async def ask() -> None:
        await asyncio.to_thread(client.list_topics, timeout=_BROKER_SECONDS)

    return ask


def _object_store(store: S3Store) -> Check:
    async def ask() -> None:
        # An empty prefix: an answer means that the bucket is there and the keys are right.
        async for _ in store.list("health/", chunk_size=1):
            break

    return ask


def _outboxes(database: Database) -> Check:
    async def ask() -> None:
        stalled = [one for one in await database.autocommit(outbox_states) if one.stalled]
        if stalled:
            waits = (f"{one.schema}: the oldest event waits for {one.seconds:.0f} s" for one in stalled)
            raise CheckFailed("; ".join(waits))

    return ask


def _source(database: Database) -> Check:
    async def ask() -> None:
        try:
            forbidden = await database.autocommit(source_forbidden.forbidden_for)
            away = await database.autocommit(source_forbidden.away_for)
        except InfrastructureAway:
            return  # the check of the database says so
        if forbidden is not None:
            raise CheckFailed(f"source_forbidden: a firewall has forbidden everything for {forbidden:.0f} s")
        if away is not None:
            raise CheckFailed(f"{away[0]}: the source is away for {away[1]:.0f} s")

    return ask
