"""A receiver of webhooks that costs next to nothing: a process of its own that answers 204 and notes the time.

``python -m tools.bench.sink`` prints its port and serves until it is ended. GET /?since=N tells what came, from the
Nth on: ``[[target, seconds since the epoch, bytes of body], ...]``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import uvloop

from tools.bench.registry import BenchmarkFailed

_ACCEPTED: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_START_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Arrival:
    """One request. ``at`` in seconds since the epoch, ``size`` in bytes of body."""

    target: str
    at: float
    size: int


class HookSink:
    """The client of a running sink."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._client = httpx.Client(base_url=self._base, timeout=30, trust_env=False)

    def url(self, target: str) -> str:
        """The address for a path (and query) of one's choice."""
        return self._base + target

    def arrivals(self, since: int = 0) -> list[Arrival]:
        """What came, in its order, from the ``since``-th on."""
        return [Arrival(*entry) for entry in self._client.get("/", params={"since": since}).json()]

    def wait(self, count: int, timeout: float, since: int = 0) -> list[Arrival]:
        """At least ``count`` arrivals from ``since`` on. Raises BenchmarkFailed after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while len(found := self.arrivals(since)) < count:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{len(found)} of {count} webhooks after {timeout:g} s")
            time.sleep(0.1)
        return found

    def close(self) -> None:
        """Close the client; the sink goes on."""
        self._client.close()


@contextmanager
def running_sink() -> Iterator[HookSink]:
    """A sink in a child process, ended with the block. Raises BenchmarkFailed."""
    process = subprocess.Popen([sys.executable, "-m", "tools.bench.sink"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    deadline = threading.Timer(_START_SECONDS, process.kill)  # ends the readline below
    deadline.start()
    try:
        line = process.stdout.readline().strip()
        deadline.cancel()
        if not line.isdecimal():
            raise BenchmarkFailed("the receiver of the benchmark did not start")
        sink = HookSink(int(line))
        try:
            yield sink
        finally:
            sink.close()
    finally:
        deadline.cancel()
        process.terminate()
        process.wait(5)
        process.stdout.close()


async def _serve() -> None:
    """Takes posts and remembers when they came; ``GET /?since=N`` lists those from the N-th on."""
    arrived: list[tuple[str, float, int]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target = head.split(" ", 2)[:2]
                if method == "GET":
                    since = int(parse_qs(urlsplit(target).query).get("since", ["0"])[0])
                    body = json.dumps(arrived[since:]).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
                    continue
                size = _length(head)
                await reader.readexactly(size)
                arrived.append((target, time.time(), size))
                writer.write(_ACCEPTED)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _length(head: str) -> int:
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
