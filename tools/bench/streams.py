"""What event streams of a large case cost everybody else: another case's status, with and without them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import psycopg2

from tools.bench.api_reads import steadily
from tools.bench.delivery import deliver, make_cases
from tools.bench.figures import Figure, percentile
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_STREAMS: Final = 20
_RATE: Final = 50.0
_CHANGES_A_SECOND: Final = 20
_SEEDED: Final = (
    "UPDATE catalog.jobs SET active = false WHERE process_number = %(number)s",
    """INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, active, created_at)
       VALUES (%(job)s, %(number)s, 'dev', 'all', false, true, now())""",
    """INSERT INTO catalog.documents (process_number, document_id, position, name, source_path)
       SELECT %(number)s, md5(%(number)s || n)::uuid, n, 'Petição ' || n, '/' || n
       FROM generate_series(100, 99 + %(count)s) n""",
    """INSERT INTO progress.jobs (job_id, process_number, status, total_documents)
       VALUES (%(job)s, %(number)s, 'processing', %(count)s + 1000)""",
    """INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size,
                                       content_type, updated_at)
       SELECT %(number)s, md5(%(number)s || n)::uuid, %(job)s, 'available', 'k' || n, repeat('ab', 32), 10,
              'application/pdf', now() - n * interval '1 second' FROM generate_series(100, 99 + %(count)s) n""",
)
_CHANGED: Final = """
UPDATE progress.documents SET updated_at = now()
 WHERE process_number = %(number)s AND document_id = md5(%(number)s || (100 + %(index)s))::uuid;
UPDATE progress.jobs SET version = version + 1 WHERE job_id = %(job)s; SELECT pg_notify('autos_progress', %(number)s)
"""
# Reads and forgets, in a process of its own: what the streams bring must not be in the way of what measures.
_LISTENER: Final = """
import selectors, socket, sys
host, port, path, key, count = sys.argv[1:]
ready = selectors.DefaultSelector()
for _ in range(int(count)):
    one = socket.create_connection((host, int(port)))
    one.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\nAuthorization: Bearer {key}\\r\\n\\r\\n".encode())
    ready.register(one, selectors.EVENT_READ)
told = 0
while ready.get_map():
    for found, _ in ready.select():
        if not found.fileobj.recv(1 << 18):
            ready.unregister(found.fileobj)
"""


def _run(plan: Plan) -> list[Figure]:
    with running_product(plan) as product:
        return asyncio.run(_measure(plan, product))


async def _measure(plan: Plan, product: Product) -> list[Figure]:
    """Reads of a small case, without and beside streams of a large one that changes all the time."""
    small, large = case_numbers(2)
    await asyncio.to_thread(make_cases, product, [small, large], 3, 1_000)
    await deliver(product, [small, large], 3)
    job, count = str(uuid.uuid4()), plan.size(27_000, 5_000)
    await asyncio.to_thread(_seed, product, large, job, count)
    path, seconds = f"/processes/{small}/status", plan.size(15, 5)
    without: list[float] = []
    beside: list[float] = []
    async with product.client() as client:
        await steadily(client, path, 10, 1.0)
        for _ in range(plan.rounds):
            with _changing(product, large, job):
                without.append(percentile(await steadily(client, path, _RATE, seconds), 0.99) * 1000)
                with _listening(product, large):
                    beside.append(percentile(await steadily(client, path, _RATE, seconds), 0.99) * 1000)
            plan.say(f"  p99: {without[-1]:.0f} ms without streams, {beside[-1]:.0f} ms beside them")
    name = f"status of a small case beside {_STREAMS} streams of one of {count:,}, p99"
    return [Figure(name, "ms", tuple(beside), tuple(without))]


def _seed(product: Product, number: str, job: str, count: int) -> None:
    """A large case that is there already, as rows."""
    with psycopg2.connect(product.database_url) as connection, connection.cursor() as cursor:
        for statement in _SEEDED:
            cursor.execute(statement, {"number": number, "job": job, "count": count})


@contextmanager
def _changing(product: Product, number: str, job: str) -> Iterator[None]:
    """The large case changes many times a second."""
    over = threading.Event()

    def change() -> None:
        with psycopg2.connect(product.database_url) as connection:
            connection.autocommit = True
            index = 0
            while not over.wait(1 / _CHANGES_A_SECOND):
                index += 1
                with connection.cursor() as cursor:
                    cursor.execute(_CHANGED, {"number": number, "job": job, "index": index % 1000})

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _listening(product: Product, number: str) -> Iterator[None]:
    """So many streams of a case, read by a process of their own. Raises BenchmarkFailed when one ends before."""
    url = httpx.URL(product.api_url)
    arguments = [
        str(url.host),
        str(url.port),
        f"/processes/{number}/events",
        str(product.state["api_key"]),
        str(_STREAMS),
    ]
    process = subprocess.Popen([sys.executable, "-c", _LISTENER, *arguments])
    try:
        yield
        if process.poll() is not None:
            raise BenchmarkFailed("the streams ended before the measurement did")
    finally:
        process.kill()
        process.wait()
        # The server sees them go.
        time.sleep(0.5)


BENCHMARK = Benchmark(
    name="streams",
    measures="a small case's status at a steady rate beside event streams of a large one that keeps changing",
    baseline="the same while nobody follows the large case",
    run=_run,
)
