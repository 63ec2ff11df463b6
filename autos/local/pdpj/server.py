"""The server: one listening socket, one event loop, closed at SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from autos.local.pdpj.control_routes import PREFIX, ControlRoutes
from autos.local.pdpj.exchange import Reply, Request
from autos.local.pdpj.routes import SourceRoutes
from autos.local.pdpj.source import Source
from autos.local.pdpj.token_routes import TOKEN_PATHS, TokenRoutes
from autos.local.pdpj.wire import HttpConnection
from shared.clock import utc_now

_BACKLOG = 2048


class Simulator:
    """All routes of the process, as one handler of the wire."""

    def __init__(self, source: Source) -> None:
        self._source_routes = SourceRoutes(source)
        self._token_routes = TokenRoutes(source)
        self._control_routes = ControlRoutes(source)

    def __call__(self, request: Request) -> Reply | Awaitable[Reply]:
        path = request.path
        if path.startswith(PREFIX):
            return self._control_routes(request)
        if path in TOKEN_PATHS:
            return self._token_routes(request)
        return self._source_routes(request)


async def serve(
    host: str,
    port: int,
    *,
    access_tokens: Sequence[str] = (),
    refresh_tokens: Sequence[str] = (),
    on_ready: Callable[[str], None],
) -> None:
    """Serve until a signal comes. ``on_ready`` gets the address (port 0 takes a free one). Raises OSError on bind."""
    source = Source(clock=utc_now, monotonic=time.monotonic, access_tokens=access_tokens, refresh_tokens=refresh_tokens)
    simulator = Simulator(source)
    connections: set[HttpConnection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpConnection(simulator, connections), host, port, backlog=_BACKLOG)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    bound = server.sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    on_ready(f"http://{shown}:{bound}")
    try:
        await stopped.wait()
    finally:
        server.close()
        for connection in tuple(connections):
            connection.close()
        await server.wait_closed()
