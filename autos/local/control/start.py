"""Puts the control server of a stack together, and starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from autos.local.composition import Endpoints
from autos.local.control.actions import Actions
from autos.local.control.guard import Guard
from autos.local.control.server import ControlServer
from autos.local.supervisor import Child


def start_control(
    endpoints: Endpoints, token: str, api_urls: Sequence[str], children: Callable[[], Mapping[str, Child]]
) -> ControlServer:
    """The running server. Raises OSError when its port was taken meanwhile."""
    origins = {*api_urls, *(f"http://localhost:{urlsplit(url).port}" for url in api_urls)}
    simulator = f"http://127.0.0.1:{endpoints.pdpj_port}" if endpoints.pdpj_port is not None else None
    actions = Actions(children, simulator_url=simulator, receiver_url=f"http://127.0.0.1:{endpoints.receiver_port}")
    server = ControlServer(endpoints.control_port, Guard(token, origins, endpoints.control_port), actions)
    server.start()
    return server
