"""A notifier on the real servers, and the world around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.notifier.worker import Notifier
from shared.db.engine import Database
from shared.domain.cnj import ProcessNumber
from tests.integration.notifier.world import Running, World, opened_world, settings_for
from tests.support import Servers


@pytest.fixture(scope="module")
def world(servers: Servers, process_number: Callable[[], ProcessNumber]) -> Iterator[World]:
    with opened_world(servers, process_number) as world:
        yield world


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    """As the notifier's own role."""
    made = Database.connect(servers.role_urls["notifier"], application_name="notifier-tests", pool_size=2)
    yield made
    made.close()


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
