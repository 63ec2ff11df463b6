"""The gate before the simulator: how much is asked at once, a pause, an outage that costs nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

from autos.local.pdpj.control import Failure, FailureKind, SimulatorControl, SourceSetting
from shared.domain import cnj
from shared.domain.case import CaseDocument
from sources.base import CourtSource
from sources.errors import SourceError, Verdict
from sources.gate.breaker import BreakerState, SourceBreakerPolicy
from sources.gate.gate import SourceGate
from tests.integration.sources.conftest import MakeSource
from tests.support import wait_until_async

NUMBER = cnj.make(4300, 2024, 8, 26, 100)
OTHER = cnj.make(4301, 2024, 8, 26, 100)
FAST = SourceBreakerPolicy(failure_limit=4, first_open=0.1, longest_open=0.4)


async def fetched(source: CourtSource, document: CaseDocument) -> int:
    """Bytes of the document; asks again only while the source is away, as the fetcher does."""
    while True:
        try:
            async with source.open_document(document.source_path or "") as stream:
                return sum([len(piece) async for piece in stream.aiter_bytes()])
        except SourceError as error:
            if error.verdict is not Verdict.SOURCE_AWAY:
                raise


async def test_the_source_never_sees_more_than_the_limit(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.put_case(NUMBER, documents=60, size=20_000, latency=0.01)
    source = make_source(limiter=SourceGate(7))
    case = await source.fetch_case(NUMBER)
    sizes = await asyncio.gather(*(fetched(source, document) for document in case.documents))
    assert set(sizes) == {20_000}
    assert pdpj.metrics().max_in_flight == 7


async def test_the_limit_adapts_to_a_source_that_takes_less(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.put_case(NUMBER, documents=80, size=5_000, latency=0.01)
    pdpj.configure_source(SourceSetting(concurrency_limit=4, retry_after=0.05))
    gate = SourceGate(32)
    source = make_source(limiter=gate)
    case = await source.fetch_case(NUMBER)
    sizes = await asyncio.gather(*(fetched(source, document) for document in case.documents))
    assert set(sizes) == {5_000}
    refused = pdpj.metrics().by_status["429"]
    assert refused < 80  # without adapting, every document would be refused again and again
    assert gate.snapshot().limit < 16


async def test_a_429_pauses_every_fetch_for_as_long_as_it_says(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.put_case(
        NUMBER,
        documents=20,
        size=1000,
        failures=[Failure(kind=FailureKind.RATE_LIMIT, document=0, times=1, retry_after=1.0)],
    )
    told: list[float] = []
    gate = SourceGate(2, on_pause=told.append)
    source = make_source(limiter=gate)
    case = await source.fetch_case(NUMBER)
    loop = asyncio.get_running_loop()
    last_first = sorted(case.documents, key=lambda document: document.document_id != pdpj_first(pdpj))
    tasks = [asyncio.create_task(fetched(source, document)) for document in last_first]
    await wait_until_async(lambda: gate.snapshot().paused_for > 0 and gate.snapshot().in_flight == 0)
    asked, began = pdpj.metrics().requests_total, loop.time()
    paused_for = gate.snapshot().paused_for
    await wait_until_async(lambda: pdpj.metrics().requests_total > asked)
    assert loop.time() - began >= paused_for * 0.9
    await asyncio.gather(*tasks)
    assert told == [1.0]
    assert pdpj.metrics().by_status["429"] == 1


def pdpj_first(pdpj: SimulatorControl) -> str:
    return pdpj.case(NUMBER, hashes=False).documents[0].document_id


@pytest.mark.parametrize("kind", [FailureKind.BAD_GATEWAY_502, FailureKind.RESET, FailureKind.FIREWALL_403])
async def test_an_outage_is_probed_and_then_everything_arrives(
    pdpj: SimulatorControl, make_source: MakeSource, kind: FailureKind
) -> None:
    gate = SourceGate(16, policy=FAST)
    source = make_source(limiter=gate)
    documents = []
    for number in (NUMBER, OTHER):
        pdpj.put_case(number, documents=20, size=2000)
        documents += (await source.fetch_case(number)).documents
    pdpj.outage(kind)
    pdpj.reset_metrics()
    began = time.monotonic()
    tasks = [asyncio.create_task(fetched(source, document)) for document in documents]
    await wait_until_async(
        lambda: gate.snapshot().breaker is not BreakerState.CLOSED and gate.snapshot().in_flight == 0
    )
    before = pdpj.metrics().requests_total
    await wait_until_async(lambda: pdpj.metrics().requests_total >= before + 3, what="probes")
    # What was in flight of the one case and of the other, and probes, as many as there was time for: no loop.
    probes = 10 + (time.monotonic() - began) / FAST.first_open
    assert pdpj.metrics().requests_total <= 2 * 16 + probes
    pdpj.outage(None)
    assert set(await asyncio.gather(*tasks)) == {2000}
    assert gate.snapshot().breaker is BreakerState.CLOSED
    assert all(count >= 1 for count in pdpj.case_metrics(NUMBER).document_requests.values())


async def test_refused_credentials_pause_the_source(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    gate = SourceGate(4)
    source = make_source(limiter=gate, pdpj_access_token="unknown")
    with pytest.raises(SourceError):
        await source.fetch_case(NUMBER)
    assert gate.snapshot().paused_for > 50
    assert gate.snapshot().breaker is BreakerState.CLOSED
