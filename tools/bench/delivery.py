"""One run of cases through the product: ask for all of them, wait for the end of every one, tell what it took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import psycopg2

from shared.concurrency.task_groups import run_together
from shared.db.channels import PROGRESS
from tools.bench.figures import difference
from tools.bench.processes import own
from tools.bench.product import Product
from tools.bench.registry import BenchmarkFailed

_STEP_SECONDS: Final = 0.02
"""The least time between two looks at the projection."""
_SILENCE_SECONDS: Final = 1.0
"""The longest: in case a notification was lost."""
_DONE: Final = """
SELECT count(*) FILTER (WHERE completed_at IS NOT NULL), count(*) FILTER (WHERE status = 'completed'),
       coalesce(sum(completed_documents), 0)
FROM progress.jobs WHERE process_number = ANY(%s)
"""


@dataclass(frozen=True)
class Run:
    """What a run took. ``cpu`` are CPU seconds by process; ``answers`` the seconds of each request.

    ``first`` is when a document was first seen to be available, in seconds from the first request.
    """

    documents: int
    seconds: float
    first: float
    cpu: Mapping[str, float]
    answers: tuple[float, ...]

    @property
    def documents_per_second(self) -> float:
        """From the first request to the end of the last case."""
        return self.documents / self.seconds

    @property
    def own_cpu_ms(self) -> float:
        """CPU milliseconds a document in our own processes."""
        return own(self.cpu) * 1000 / self.documents


class Progress:
    """Asks the projection how far cases are; by the owner's connection, so that it costs the API nothing."""

    def __init__(self, database_url: str, numbers: Sequence[str]) -> None:
        self._connection = psycopg2.connect(database_url)
        self._connection.autocommit = True
        self._numbers = list(numbers)
        with self._connection.cursor() as cursor:
            cursor.execute(f'LISTEN "{PROGRESS}"')

    def read(self) -> tuple[int, int, int]:
        """Cases ended, cases completed, documents available."""
        with self._connection.cursor() as cursor:
            cursor.execute(_DONE, (self._numbers,))
            ended, completed, documents = cursor.fetchone() or (0, 0, 0)
        return int(ended), int(completed), int(documents)

    async def change(self, within: float) -> None:
        """Return when the projection has written something, or after ``within`` seconds.

        Looking fifty times a second instead took 2 % of the machine that is measured.
        """
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._connection, readable.set)
        try:
            async with asyncio.timeout(within):
                while not self._connection.notifies:
                    await readable.wait()
                    readable.clear()
                    self._connection.poll()
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(self._connection)
        self._connection.notifies.clear()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def make_cases(product: Product, numbers: Sequence[str], documents: int, size: int) -> None:
    """Let the simulator have these cases. ``size`` in bytes."""
    for number in numbers:
        product.simulator.put_case(number, documents=documents, size=size)


async def ask(client: httpx.AsyncClient, number: str, **parameters: str) -> float:
    """A first request; its seconds. Raises BenchmarkFailed unless it is answered 200 or 202."""
    began = time.perf_counter()
    answer = await client.get(f"/processes/{number}", params=parameters)
    took = time.perf_counter() - began
    if answer.status_code not in (200, 202):
        raise BenchmarkFailed(f"a request was answered {answer.status_code}: {answer.text[:200]}")
    return took


async def wait_for_end(
    product: Product,
    numbers: Sequence[str],
    documents: int,
    timeout: float,
    watch: Callable[[int], None] | None = None,
    step: float = _STEP_SECONDS,
    ended: bool = True,
) -> None:
    """Return when ``documents`` are there, and with ``ended`` every case has completed.

    ``watch`` hears of the number of available documents at each step; ``step`` and ``timeout`` are seconds. Raises
    BenchmarkFailed when a case ends otherwise, or after ``timeout``.
    """
    progress = Progress(product.database_url, numbers)
    deadline = time.monotonic() + timeout
    try:
        while True:
            over, completed, available = progress.read()
            if watch is not None:
                watch(available)
            if available >= documents and (not ended or completed == len(numbers)):
                return
            if over > completed:
                raise BenchmarkFailed(f"{over - completed} of {len(numbers)} cases did not complete")
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{available} of {documents} documents after {timeout:g} s")
            await asyncio.sleep(step)
            await progress.change(_SILENCE_SECONDS)
    finally:
        progress.close()


async def deliver(
    product: Product,
    numbers: Sequence[str],
    documents_each: int,
    *,
    at_once: int = 100,
    timeout: float = 300.0,
) -> Run:
    """Ask for cases that nobody asked for before, ``at_once`` requests at a time, and wait until they are there.

    CPU is that of the whole run, planning and metadata included. Raises BenchmarkFailed.
    """
    documents = len(numbers) * documents_each
    places = asyncio.Semaphore(at_once)
    first = 0.0

    def note(available: int) -> None:
        nonlocal first
        if available and not first:
            first = time.perf_counter() - began

    async def one(client: httpx.AsyncClient, number: str) -> float:
        async with places:
            return await ask(client, number)

    before = product.processes.cpu()
    began = time.perf_counter()
    async with product.client() as client:
        answers = await run_together(one(client, number) for number in numbers)
        await wait_for_end(product, numbers, documents, timeout, watch=note)
    seconds = time.perf_counter() - began
    return Run(documents, seconds, first, difference(product.processes.cpu(), before), tuple(answers))
