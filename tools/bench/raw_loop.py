"""The baseline of the pipeline: the same HTTP client and the same store in a plain loop; no broker, no database.

It reads the case, then its documents: token in the header, SHA-256 over the body, put under a key. What it leaves
out is all that makes a download survive a failure.
"""

from __future__ import annotations

import asyncio
import hashlib
import resource
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import obstore
import uvloop
from obstore.store import S3Store

from shared.concurrency.task_groups import run_together
from shared.storage.store import make_store
from sources.pdpj.auth.credentials import build_credentials
from sources.pdpj.client import build_source
from sources.pdpj.settings import PdpjSettings
from sources.pdpj.wire.transport import SourceTransport
from tools.bench.product import Product
from tools.bench.registry import BenchmarkFailed

_TOKEN = "raw-loop"


@dataclass(frozen=True)
class RawRun:
    """What the loop took: wall-clock and CPU seconds of this process."""

    documents: int
    seconds: float
    cpu_seconds: float

    @property
    def documents_per_second(self) -> float:
        """Over the whole run."""
        return self.documents / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a document."""
        return self.cpu_seconds * 1000 / self.documents


def raw_loop(product: Product, numbers: Sequence[str], *, at_once: int, expected: int) -> RawRun:
    """Fetch and store every document of these cases, ``at_once`` documents at a time. Raises BenchmarkFailed."""
    product.simulator.allow_tokens(access=[_TOKEN])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = runner.run(_run(product, numbers, at_once))
    if run.documents != expected:
        raise BenchmarkFailed(f"the raw loop got {run.documents} of {expected} documents")
    return run


def cpu_seconds() -> float:
    """The CPU time of this process and all its threads, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _run(product: Product, numbers: Sequence[str], at_once: int) -> RawRun:
    """Fetch and store every document of the cases, so many at once, without events, rows or retries."""
    settings = PdpjSettings(pdpj_base_url=product.simulator.portal_url, pdpj_access_token=_TOKEN)
    source = build_source(settings, credentials=build_credentials(settings))
    transport = SourceTransport(settings)
    store = make_store(product.storage)
    root = f"{settings.pdpj_base_url}/api/v2"
    began, cpu = time.perf_counter(), cpu_seconds()
    cases: deque[str] = deque(numbers)
    paths: deque[str] = deque()
    done = 0

    async def work() -> None:
        nonlocal done
        while True:
            if paths:
                await _fetch(transport, store, root + paths.popleft())
                done += 1
            elif cases:
                case = await source.fetch_case(cases.popleft())
                paths.extend(document.source_path for document in case.documents if document.source_path)
            else:
                return

    # The first case is read before, so that no worker finds nothing to do and goes home.
    paths.extend(d.source_path for d in (await source.fetch_case(cases.popleft())).documents if d.source_path)
    await run_together(work() for _ in range(at_once))
    run = RawRun(done, time.perf_counter() - began, cpu_seconds() - cpu)
    await transport.aclose()
    await source.aclose()
    return run


async def _fetch(transport: SourceTransport, store: S3Store, url: str) -> None:
    digest = hashlib.sha256()
    pieces: list[bytes] = []
    headers = {"accept": "*/*", "accept-encoding": "identity", "authorization": f"Bearer {_TOKEN}"}
    async with transport.send("GET", url, headers=headers) as response:
        if response.status_code != 200:
            raise BenchmarkFailed(f"the source answered {response.status_code}")
        content_type = response.headers.get("content-type", "application/octet-stream")
        async for piece in transport.pieces(response):
            digest.update(piece)
            pieces.append(piece)
    await obstore.put_async(
        store,
        f"bench/raw/{uuid.uuid4()}",
        b"".join(pieces),
        attributes={"Content-Type": content_type, "sha256": digest.hexdigest()},
    )
