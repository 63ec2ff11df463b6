"""A worker writes how its source stands and what its requests ended with."""

from __future__ import annotations

from autos.local.pdpj.control import FailureKind, SourceSetting
from services.downloader.source_share.request_counts import court_of
from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async


async def test_an_outage_is_seen_and_its_end_and_every_request_counted(bench: Workers) -> None:
    for table in ("source.states", "source.request_hours"):
        await bench.sql(f"DELETE FROM {table}")

    async def state() -> str | None:
        rows = await bench.sql("SELECT state FROM source.states WHERE source = 'pdpj'")
        return rows[0].state if rows else None

    async def is_away() -> bool:
        return await state() == "away"

    async def is_open() -> bool:
        return await state() == "open"

    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=6, size=2_000)
    async with bench.worker():
        await bench.ended(await bench.ask(number))
        bench.pdpj.configure_source(SourceSetting(outage=FailureKind.UNAVAILABLE_503))
        other = bench.fresh_number()
        bench.pdpj.put_case(other, documents=4, size=2_000)
        job = await bench.ask(other)
        await wait_until_async(is_away)
        bench.pdpj.configure_source(SourceSetting())
        await bench.ended(job, timeout=60)
        await wait_until_async(is_open)
    # Its last round comes with its end.
    rows = await bench.sql("SELECT court, outcome, sum(requests)::int AS n FROM source.request_hours GROUP BY 1, 2")
    counted = {(row.court, row.outcome): row.n for row in rows}
    assert counted[court_of(number), "succeeded"] >= 7
    assert counted[court_of(other), "source_unavailable"] >= 1
