"""Serves the application by uvicorn until the service is told to stop, then lets requests end in time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from services.api.resources import Resources
from services.api.settings import ApiSettings

_KEEP_ALIVE_SECONDS: Final = 65
_BACKLOG: Final = 2048


class _Server(uvicorn.Server):
    """A server that leaves the signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: FastAPI, settings: ApiSettings, stop: asyncio.Event) -> None:
    """Serve until ``stop``; those who wait for a change are answered at once then."""
    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        # The service has its own loop and its own logs.
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_seconds / 2)),
        backlog=_BACKLOG,
        # Behind a proxy its word about the client is not needed: nothing here depends on an address.
        proxy_headers=False,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        resources: Resources = app.state.resources
        resources.changes.close()
        server.should_exit = True
    stopping.cancel()
    await running
    if not stop.is_set():
        raise RuntimeError("the HTTP server ended by itself")
