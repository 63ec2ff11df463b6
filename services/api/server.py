"""Serves the application by uvicorn until the service has to stop, then lets requests end in time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import uvicorn
from fastapi import FastAPI

from services.api.feed.changes import FeedChanges
from services.api.http.bounds import RequestBounds
from services.api.http.connection import BoundedConfig
from services.api.http.provided import parts_of
from services.api.metrics import ApiMetrics
from services.api.processes.follow.changes import CaseChanges
from services.api.settings import ApiSettings

if sys.platform != "win32":
    import resource

_BACKLOG: Final = 2048
_OTHER_FILES: Final = 128
"""What the process has open besides its clients' connections: database, broker, store, source, receivers."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: FastAPI, settings: ApiSettings, stop: asyncio.Event) -> None:
    """Serve until ``stop``; those who wait for a change are answered at once then. Raises RuntimeError when the HTTP
    server ends by itself.
    """
    parts = parts_of(app)
    config = BoundedConfig(
        app,
        _within_files(RequestBounds.from_settings(settings)),
        parts.get(ApiMetrics),
        host=settings.api_host,
        port=settings.api_port,
        # The service has its own loop and its own logs.
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=max(1, int(settings.shutdown_seconds / 2)),
        backlog=_BACKLOG,
        # What a proxy says about the client's address is not needed: nothing here depends on it.
        proxy_headers=False,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        parts.get(CaseChanges).close()
        parts.get(FeedChanges).close()
        server.should_exit = True
    stopping.cancel()
    await running
    if not stop.is_set():
        raise RuntimeError("the HTTP server ended although nobody stopped it")


def allow_files(connections: int) -> None:
    """Let this process open files for so many connections, as far as the system lets it ask for that."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))


def _within_files(bounds: RequestBounds) -> RequestBounds:
    """No more connections than files may be open: a process without a file left accepts nobody."""
    if sys.platform == "win32":
        return bounds
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return bounds
    return replace(bounds, connections=min(bounds.connections, max(64, soft - _OTHER_FILES)))
