"""kill -9 of a notifier in the middle of its work: no event of a feed is lost, comes twice or out of its order."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from shared.db import catalog, progress
from shared.domain.cnj import ProcessNumber
from shared.events.process_completed import ProcessCompleted
from tests.integration.notifier.replica import notifier_process
from tests.integration.notifier.test_feed import asked, feed
from tests.integration.notifier.world import Job, World, opened_world
from tests.support import Servers, wait_until_async

JOBS = 30
DOCUMENTS = 2


@pytest.fixture
def world(servers: Servers, process_number: Callable[[], ProcessNumber]) -> Iterator[World]:
    with opened_world(servers, process_number) as world:
        yield world


def ended_jobs(world: World, case: Job) -> list[ProcessCompleted]:
    """The ends of jobs of one case, one after the other; each has brought two of its documents."""
    found = []
    with world.engine.begin() as connection:
        for index in range(JOBS):
            job_id, now = str(uuid.uuid4()), datetime.now(UTC)
            brought = case.documents[index * DOCUMENTS : (index + 1) * DOCUMENTS]
            row = {"job_id": job_id, "process_number": case.process_number, "client_id": case.client_id}
            connection.execute(
                insert(catalog.jobs).values(**row, scope="all", discover=False, active=False, created_at=now)
            )
            connection.execute(
                update(progress.documents).where(progress.documents.c.document_id.in_(brought)).values(job_id=job_id)
            )
            end = {"job_id": job_id, "total_documents": DOCUMENTS, "completed_documents": DOCUMENTS}
            found.append(case.completed().model_copy(update=end))
    return found


async def test_kill_9_loses_and_reorders_no_event(world: World, servers: Servers, tmp_path: Path) -> None:
    client, _ = world.client()
    cases = [world.job(client, documents=JOBS * DOCUMENTS) for _ in range(3)]
    for case in cases:
        asked(world, client, case)
    of_cases = [ended_jobs(world, case) for case in cases]
    ends = [end for together in zip(*of_cases, strict=True) for end in together]
    with notifier_process(servers, tmp_path / "log") as first:
        await world.publish(*ends[: len(ends) // 2])
        await wait_until_async(lambda: len(feed(world, client)) >= 6, 60)
        await world.publish(*ends[len(ends) // 2 :])
        await asyncio.to_thread(first.kill)
        await asyncio.to_thread(first.wait)
    with notifier_process(servers, tmp_path / "log"):
        await wait_until_async(lambda: len(feed(world, client)) >= 2 * len(ends), 60)
    found = feed(world, client)
    assert [row.position for row in found] == list(range(1, 2 * len(ends) + 1))
    for case, its in zip(cases, of_cases, strict=True):
        told = [(row.job_id, row.event_type) for row in found if row.process_number == case.process_number]
        assert told == [(end.job_id, kind) for end in its for kind in ("document.available", "process.completed")]
