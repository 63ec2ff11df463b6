"""The events by which `autos repair` lets a job that stands still go on."""

from __future__ import annotations

import asyncio

from ops.invariants.findings import Mismatch, Rule
from ops.repair import Repair, plan
from tests.integration.downloader.workers import Workers


async def planned(bench: Workers, rule: Rule, job: str) -> Repair:
    return await bench.database.run(lambda connection: plan(connection, [Mismatch(rule, job, "it stands still")]))


async def test_a_job_that_stands_still_goes_on(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=3, size=900)
    async with bench.worker():
        lost = "00000000-0000-4000-8000-" + number[:7].zfill(12)
        await bench.make_job(lost, number)
        again = await planned(bench, Rule.JOB_LOST, lost)
        assert (len(again.asked), len(again.left)) == (1, 0)
        await asyncio.gather(bench.produce(*again.records), bench.produce(*again.records))
        ended = await bench.ended(lost)
        assert set(ended.values()) == {"available"}

        # One document was counted, of another the end was told; the third one's request is gone.
        told, *_ = ended
        stuck = "00000000-0000-4000-9000-" + number[:7].zfill(12)
        await bench.make_job(stuck, number)
        await bench.sql(
            "INSERT INTO progress.jobs"
            " (job_id, process_number, status, total_documents, completed_documents, planned_at)"
            " VALUES (:j, :n, 'processing', 3, 2, now())",
            j=stuck,
            n=number,
        )
        await bench.sql("INSERT INTO progress.job_documents VALUES (:j, :d, 'available')", j=stuck, d=told)
        further = await planned(bench, Rule.JOB_STUCK, stuck)
        assert len(further.records) == 1
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = :j", j=stuck)
        assert [each.subject for each in (await planned(bench, Rule.JOB_STUCK, stuck)).left] == [stuck]
