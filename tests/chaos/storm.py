"""One round of chaos: clients follow their cases while the actor does its worst; then everything must be right."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from tests.chaos.actor import Actor
from tests.chaos.client import PatientClient
from tests.chaos.feed import check_feed, pulling
from tests.chaos.plan import Case, Plan
from tests.chaos.verdict import (
    Webhooks,
    check_documents,
    check_failed,
    check_invariants,
    check_webhooks,
    until_answered,
)
from tests.chaos.watch import Watched, watching
from tests.product import Product

SETTINGS: Final = {
    # As many tries as by default, sooner.
    "AUTOS_DOWNLOAD_RETRY_DELAYS": "0.5,1,2",
    # Enough of them to outlast a receiver's outage.
    "AUTOS_WEBHOOK_RETRY_DELAYS": "0.5,1,2,4,8,16,32",
    "AUTOS_WEBHOOK_TIMEOUT_SECONDS": "3",
    # So that documents are told of while their job runs.
    "AUTOS_WEBHOOK_DOCUMENTS_SECONDS": "0.5",
    "AUTOS_PDPJ_READ_TIMEOUT": "3",
    "AUTOS_SOURCE_DEADLINE_SECONDS": "5",
}


_PULL_SECONDS: Final = 120.0
"""How long after a round the last events may come."""


@dataclass(frozen=True)
class Outcome:
    """What a round came to; everything in it was right."""

    seed: int
    seconds: float
    """From the first request to the end of the last case."""
    settled: float
    """From there until every webhook was delivered and nothing was under way."""
    documents: int
    failed: int
    """Documents of bad cases, each failed with a reason."""
    requests: int
    repeated: int
    longest_gap: float
    webhooks: Webhooks
    events: int
    """Pulled from the client's feed."""
    source_requests: int
    watched: Watched

    def __str__(self) -> str:
        hooks = self.webhooks
        return (
            f"seed {self.seed}: {self.documents} documents right and {self.failed} failed as they must "
            f"after {self.seconds:.1f} s, "
            f"all quiet {self.settled:.1f} s later; "
            f"{self.source_requests} requests to the source; {self.requests} requests of clients, "
            f"{self.repeated} of them repeated, {self.longest_gap:.1f} s the longest without an answer; "
            f"{hooks.deliveries} webhooks delivered by {hooks.requests} requests, {hooks.duplicates} too many "
            f"({hooks.cut_off} attempts cut off before they were recorded, {hooks.unheard} answers not heard); "
            f"{self.events} events pulled in order; "
            f"no false alarm in {self.watched.looks} deep checks meanwhile ({self.watched.interrupted} interrupted)"
        )


def run(product: Product, plan: Plan, say: Callable[[str], None], *, timeout: float) -> Outcome:
    """Raises AssertionError for whatever is not right ``timeout`` seconds after the start."""
    path = f"/chaos/{plan.seed}"
    for case in plan.cases:
        product.simulator.put_case(
            case.number, documents=case.documents, size=(500, 60_000), latency=(0.02, 0.3), failures=case.failures
        )
    began = time.monotonic()
    clients = {case: PatientClient(product.api_urls, product.api_key, began + timeout) for case in plan.cases}

    def follow(case: Case) -> None:
        time.sleep(max(0.0, began + case.at - time.monotonic()))
        view = clients[case].follow(case.number, product.receiver.url(f"{path}/{case.number}"))
        if case.bad is not None:
            check_failed(case, view)
            return
        failed = [(each["error_code"], each["attempts"]) for each in view["documents"] if each["status"] == "failed"]
        assert view["status"] == "completed", f"{case.number} is {view['status']} {view['error_code']}: {failed}"
        assert view["completed_documents"] == view["total_documents"] == case.documents, case.number

    with pulling(product, plan.cases, began + timeout + _PULL_SECONDS) as reader:
        with watching(product) as watched, ThreadPoolExecutor(len(plan.cases)) as threads:
            followed = [threads.submit(follow, case) for case in plan.cases]
            Actor(product, say).perform(plan, began)
            problems = [str(error) for error in (each.exception() for each in followed) if error is not None]
        assert not problems, problems
        assert not watched.false_alarms, watched.false_alarms
        seconds = time.monotonic() - began
        until_answered(product)
        events = check_feed(product, reader, plan.cases)
    good = [case for case in plan.cases if case.bad is None]
    for case in good:
        check_documents(product, case)
    webhooks = check_webhooks(product, plan.cases, path)
    check_invariants(product)
    tallies = [client.tally for client in clients.values()]
    return Outcome(
        seed=plan.seed,
        seconds=seconds,
        settled=time.monotonic() - began - seconds,
        documents=sum(case.documents for case in good),
        failed=sum(case.documents for case in plan.cases if case.bad is not None),
        requests=sum(tally.requests for tally in tallies),
        repeated=sum(tally.repeated for tally in tallies),
        longest_gap=max(tally.longest_gap for tally in tallies),
        webhooks=webhooks,
        events=events,
        watched=watched,
        source_requests=sum(
            sum(product.simulator.case_metrics(case.number).document_requests.values()) for case in plan.cases
        ),
    )
