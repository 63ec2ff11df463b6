"""A notifier on the real servers, and the world around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.notifier.worker import Notifier
from shared.db.engine import make_engine
from shared.domain.cnj import ProcessNumber
from shared.kafka.producer import Producer
from tests.integration.notifier.world import Running, World, settings_for
from tests.support import Servers


@pytest.fixture(scope="module")
def world(servers: Servers, process_number: Callable[[], ProcessNumber]) -> Iterator[World]:
    engine = make_engine(servers.owner_url, application_name="notifier-tests", pool_size=3)
    producer = Producer(servers.bootstrap_servers)
    yield World(engine, producer, process_number)
    producer.close()
    engine.dispose()


@pytest.fixture
def running(servers: Servers) -> Running:
    """Runs a notifier for the time of a ``with``; settings as keywords."""

    @asynccontextmanager
    async def run(**more: Any) -> AsyncIterator[Notifier]:
        notifier = Notifier(settings_for(servers, **more), registry=CollectorRegistry())
        stop = asyncio.Event()
        task = asyncio.create_task(notifier.run(stop))
        try:
            yield notifier
        finally:
            stop.set()
            await task

    return run
