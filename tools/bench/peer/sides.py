"""The two sides as the comparison asks them: the same client, the same receiver, the same questions afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import httpx
import psycopg2
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport

from tools.bench.delivery import ask
from tools.bench.peer.servers import Peer
from tools.bench.processes import StackProcesses
from tools.bench.product import Product
from tools.bench.registry import BenchmarkFailed

_REQUEST_SECONDS: Final = 120
_END_SECONDS: Final = 60.0
_STORED: Final = """
SELECT cases.number, max(documents.stored_at), count(*) FILTER (WHERE documents.sha256 IS NOT NULL)
FROM cases JOIN documents ON documents.case_id = cases.id WHERE cases.number = ANY(%s) GROUP BY 1
"""
_AVAILABLE: Final = """
SELECT process_number, max(download_completed_at), count(*) FILTER (WHERE download_completed_at IS NOT NULL)
FROM progress.documents WHERE process_number = ANY(%s) GROUP BY 1
"""
_NOTIFIED: Final = "SELECT count(*) FROM cases WHERE number = ANY(%s) AND notified_at IS NOT NULL"
_DELIVERED: Final = """
SELECT count(*) FROM delivery.deliveries WHERE status = 'delivered' AND process_number = ANY(%s)
"""


class Side(Protocol):
    """One of the two."""

    name: str
    processes: StackProcesses

    def client(self) -> httpx.AsyncClient:
        """Talks to it."""

    async def ask(self, client: httpx.AsyncClient, number: str, url: str) -> float:
        """Ask for a case with a webhook; the seconds of the answer. Raises BenchmarkFailed."""

    def last_stored(self, numbers: Sequence[str], documents: int) -> dict[str, float]:
        """When the last document of each case was stored, in seconds since the epoch. Raises BenchmarkFailed."""

    def wait_recorded(self, numbers: Sequence[str]) -> None:
        """Return when it has written down that every webhook was accepted. Raises BenchmarkFailed."""


class ProductSide:
    """Autos."""

    name = "product"

    def __init__(self, product: Product) -> None:
        self._product = product
        self.processes = product.processes

    def client(self) -> httpx.AsyncClient:
        """With the key of its API."""
        return self._product.client()

    async def ask(self, client: httpx.AsyncClient, number: str, url: str) -> float:
        """``GET /processes/{number}``, whose answer has the case's metadata read from the source."""
        return await ask(client, number, webhook_url=url)

    def last_stored(self, numbers: Sequence[str], documents: int) -> dict[str, float]:
        """From the projection."""
        return _moments(self._product.database_url, _AVAILABLE, numbers, documents)

    def wait_recorded(self, numbers: Sequence[str]) -> None:
        """In the notifier's tables."""
        _wait_count(self._product.database_url, _DELIVERED, numbers)


class PeerSide:
    """The application to compare with."""

    name = "peer"

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.processes = peer.processes

    def client(self) -> httpx.AsyncClient:
        """Over the same transport as the product's."""
        transport = ClientBuilder().no_proxy().http1_only().timeout(timedelta(seconds=_REQUEST_SECONDS)).build()
        return httpx.AsyncClient(
            base_url=self._peer.url, transport=HttpxTransport(transport), timeout=None, trust_env=False
        )

    async def ask(self, client: httpx.AsyncClient, number: str, url: str) -> float:
        """``POST /cases/{number}``, whose answer is the job alone."""
        began = time.perf_counter()
        answer = await client.post(f"/cases/{number}", params={"webhook_url": url})
        took = time.perf_counter() - began
        if answer.status_code != 202:
            raise BenchmarkFailed(f"the peer answered {answer.status_code}: {answer.text[:200]}")
        return took

    def last_stored(self, numbers: Sequence[str], documents: int) -> dict[str, float]:
        """From its rows."""
        return _moments(self._peer.database_url, _STORED, numbers, documents)

    def wait_recorded(self, numbers: Sequence[str]) -> None:
        """In its rows."""
        _wait_count(self._peer.database_url, _NOTIFIED, numbers)


def _moments(database_url: str, statement: str, numbers: Sequence[str], documents: int) -> dict[str, float]:
    rows: list[tuple[str, datetime | None, int]] = _fetched(database_url, statement, numbers)
    if len(rows) != len(numbers) or any(count != documents or at is None for _, at, count in rows):
        raise BenchmarkFailed(f"{len(rows)} of {len(numbers)} cases, or not all of their documents, are stored")
    return {number: at.timestamp() for number, at, _ in rows if at is not None}


def _wait_count(database_url: str, statement: str, numbers: Sequence[str]) -> None:
    deadline = time.monotonic() + _END_SECONDS
    while (done := _fetched(database_url, statement, numbers)[0][0]) < len(numbers):
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"{done} of {len(numbers)} webhooks are recorded as delivered")
        time.sleep(0.05)


def _fetched(database_url: str, statement: str, numbers: Sequence[str]) -> list[Any]:
    connection = psycopg2.connect(database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, (list(numbers),))
            return list(cursor.fetchall())
    finally:
        connection.close()
