"""A second source: registered here in a few lines, it delivers a case whatever becomes of PDPJ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.domain import cnj
from shared.domain.case import Case, CaseDocument
from sources.content.judgement import UNLISTED, Judgement, Listed
from sources.errors import DocumentNotFound, ProcessNotFound
from sources.registry import SOURCES, SourceEntry
from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async

NUMBER = cnj.make(7654321, 2024, 8, 7, 11)
CONTENT = b"%PDF-1.4\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"
DOCUMENT = CaseDocument(
    document_id="6d1d7bd4-1d3f-5f3f-9a55-0a8f0c4f9b11",
    name="Petição inicial",
    type=None,
    type_code=None,
    sequence=1,
    filed_at=None,
    pages=None,
    size=len(CONTENT),
    content_type="application/pdf",
    secrecy_level=None,
    source_path="/autos/1/pecas/1",
)


class ToyDocument:
    """The one document of the toy court."""

    content_type = "application/pdf"
    judgement = Judgement()
    answer_headers = ("date: Mon, 02 Mar 2026 14:35:15 GMT",)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        yield CONTENT


class ToySource:
    """A court with one case, kept in memory. Its addresses are its own."""

    async def fetch_case(self, number: str, *, read_timeout: float | None = None) -> Case:
        if number != NUMBER:
            raise ProcessNotFound
        return Case(number, "TJDFT", None, None, [], [], None, None, 0, [], documents=[DOCUMENT])

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        return "7"

    @asynccontextmanager
    async def open_document(
        self, source_path: str, listed: Listed = UNLISTED, *, read_timeout: float | None = None
    ) -> AsyncIterator[ToyDocument]:
        if source_path != DOCUMENT.source_path:
            raise DocumentNotFound
        yield ToyDocument()

    async def aclose(self) -> None:
        return None


TOY = SourceEntry(connect=lambda settings, context: ToySource(), address=lambda settings: "https://toy.example")


@pytest.fixture
async def with_toy(bench: Workers) -> AsyncIterator[Workers]:
    # Another test's pause may still be there.
    await bench.sql("DELETE FROM source.pauses")
    bench.sources = SOURCES.with_source("toy", TOY)
    yield bench
    await bench.sql("DELETE FROM source.pauses")


async def test_a_second_source_delivers_while_pdpj_is_paused(with_toy: Workers) -> None:
    bench = with_toy
    waiting = bench.fresh_number()
    bench.pdpj.put_case(waiting, documents=2)
    await bench.sql(
        "INSERT INTO source.pauses (name, until) VALUES ('source', now() + interval '1 hour')"
        " ON CONFLICT (name) DO UPDATE SET until = excluded.until"
    )
    async with bench.worker(sources={"8.07": "toy"}):
        held = await bench.ask(waiting)
        job = await bench.ask(NUMBER)
        assert await bench.ended(job) == {DOCUMENT.document_id: "available"}
        workers = await bench.sql("SELECT source FROM source.workers WHERE seen_at > now() - interval '5 s'")
        assert {row.source for row in workers} == {"pdpj", "toy"}
    assert bench.told(held, "job.planned", "document.available") == []
    assert not bench.pdpj.case_metrics(waiting).document_requests
    (event,) = bench.told(job, "document.available")
    assert bench.stored(event["object_key"])[0] == CONTENT
    assert event["source_headers"] == ["date: Mon, 02 Mar 2026 14:35:15 GMT"] and event["fetched_at"] <= event["at"]
    (case,) = await bench.sql("SELECT * FROM catalog.processes WHERE process_number = :number", number=NUMBER)
    (row,) = await bench.sql("SELECT * FROM catalog.documents WHERE process_number = :number", number=NUMBER)
    assert (case.source, case.source_version, row.source) == ("toy", "toy 7", "toy")


async def test_a_pause_of_the_second_source_does_not_hold_up_pdpj(with_toy: Workers) -> None:
    bench = with_toy
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=2)
    await bench.sql(
        "INSERT INTO source.pauses (name, source, until) VALUES ('source toy', 'toy', now() + interval '1 hour')"
    )
    async with bench.worker(sources={"8.07": "toy"}):
        held = await bench.ask(NUMBER)
        job = await bench.ask(number)
        await bench.ended(job)
        # The toy's case goes back to the retry topics meanwhile, and is read when the pause is over.
        await wait_until_async(lambda: bench.sample("autos_downloader_jobs_total", outcome="put_off"), what="put off")
    bench.check_stored(number, job)
    assert bench.told(held, "document.available") == []


async def test_a_document_of_a_source_that_is_no_longer_set_fails_by_name(with_toy: Workers) -> None:
    bench = with_toy
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=1)
    async with bench.worker():
        first = await bench.ask(number)
        await bench.ended(first)
        await bench.sql("UPDATE catalog.documents SET source = 'toy', revision = 2 WHERE process_number = :n", n=number)
        job = await bench.ask(number, discover=False)
        ended = await bench.ended(job)
    assert set(ended.values()) == {"unknown_source"}
