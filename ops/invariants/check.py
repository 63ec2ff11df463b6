"""One look at everything, and a second one that clears what was only on its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ops.invariants import deliveries, groups, jobs
from ops.invariants.database import DatabaseReader
from ops.invariants.findings import Findings, Mismatch, Patience, Rule
from ops.invariants.objects import StoredDocument
from ops.invariants.store import StoreReader
from ops.invariants.topics import PendingRecords, TopicReader
from shared.clock import Clock, utc_now

EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SECOND_LOOK_SECONDS: Final = 5.0
_SHOWN: Final = 5


@dataclass(frozen=True)
class Check:
    """Compares catalog, progress, delivery, S3 and topics. Reads only; safe on a live system.

    ``since`` leaves out what is older: jobs, objects and announcements. Memory does not grow with the number of jobs;
    time does. Blocks.
    """

    database: DatabaseReader
    store: StoreReader
    topics: TopicReader
    patience: Patience = field(default_factory=Patience)
    since: datetime = EVER
    clock: Clock = utc_now
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> Findings:
        """What does not match in two looks, some seconds apart; one look when that is clean.

        Raises what the database or the store raises when it is away, and InfrastructureAway for the broker.
        """
        first = self._look()
        if not first.mismatches:
            return first
        self.sleep(_SECOND_LOOK_SECONDS)
        return first.confirmed_by(self._look())

    def _look(self) -> Findings:
        found = Findings()
        # The topics first: what is read from them then and is in the tables meanwhile, was on its way.
        pending = self.topics.pending()
        announced = self.topics.announced(self.since)
        self._jobs(found, pending, announced)
        self._deliveries(found)
        self._objects(found)
        self._groups(found, pending)
        return found

    def _jobs(self, found: Findings, pending: PendingRecords, announced: dict[str, jobs.AnnouncedEnd]) -> None:
        """Judge every job by what the database, the topics and the announced ends say of it."""
        now = self.clock()
        unpublished = self.database.unpublished()
        running: list[str] = []
        for job in self.database.jobs():
            found.counted["jobs"] += 1
            # With rows in an outbox, or too many records to look at, nobody can say that nothing is on its way.
            knowable = pending.complete and not unpublished
            alive = True if job.job_id in pending.jobs else (False if knowable else None)
            announcement = announced.get(job.job_id, jobs.AnnouncedEnd())
            found.mismatches += jobs.judge(job, now, self.patience, alive=alive, announced=announcement)
            if jobs.is_running(job):
                running.append(f"{job.process_number} ({job.progress.status if job.progress else 'not planned'})")
            found.counted["repeated announcements"] += max(0, announcement.records - 1)
        if running:
            more = f" and {len(running) - _SHOWN} more" if len(running) > _SHOWN else ""
            found.running.append(f"{len(running)} jobs: {', '.join(running[:_SHOWN])}{more}")
        for job_id, number in self.database.strangers():
            words = f"job {job_id} of {number} has progress, but the catalog has no such job"
            found.mismatches.append(Mismatch(Rule.JOB_UNKNOWN, job_id, words))
        for outbox in unpublished:
            found.mismatches += deliveries.judge_outbox(outbox, now, self.patience)
            found.running.append(f"{outbox.rows} rows of {outbox.schema}.outbox are to be published")
        found.counted["events not applied (progress.dead_letters)"] = self.database.dead_letters()

    def _deliveries(self, found: Findings) -> None:
        now = self.clock()
        for status, count in self.database.delivery_statuses().items():
            found.counted[f"deliveries {status}"] = count
        still_open = 0
        for delivery in self.database.open_deliveries():
            still_open += 1
            found.mismatches += deliveries.judge(delivery, now, self.patience)
        if still_open:
            found.running.append(f"{still_open} deliveries are to be sent or sent again")
        found.mismatches += [deliveries.unproven(each) for each in self.database.unproven_deliveries()]

    def _objects(self, found: Findings) -> None:
        def counting(document: StoredDocument) -> StoredDocument:
            found.counted["available documents"] += 1
            return document

        found.mismatches += self.store.judge(counting(document) for document in self.database.stored_documents())

    def _groups(self, found: Findings, pending: PendingRecords) -> None:
        now = self.clock()
        for backlog in pending.backlogs:
            found.mismatches += groups.judge(backlog, now, self.patience)
            found.running.append(
                f"{backlog.records} records of {backlog.topic}/{backlog.partition} for the group {backlog.group}"
            )
