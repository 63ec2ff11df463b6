"""Webhooks without downloads: jobs that have ended, and subscriptions to them that are delivered at once."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg2

from shared.clock import utc_now
from shared.events.envelope import encode
from shared.events.topics import WEBHOOK_SUBSCRIBED
from shared.events.webhook_subscribed import WebhookSubscribed, subscription_id
from shared.records import OutgoingRecord
from tools.bench.delivery import deliver, make_cases
from tools.bench.product import Product, case_numbers
from tools.bench.registry import BenchmarkFailed

DOCUMENTS = 3
"""Of each case: the payload that tells about it has about 4 kB."""


def finished_jobs(product: Product, count: int) -> list[WebhookSubscribed]:
    """Cases that were delivered without a webhook: for each of their jobs, the subscription to make more of.

    Raises BenchmarkFailed when there is not one job for each case.
    """
    numbers = case_numbers(count)
    make_cases(product, numbers, DOCUMENTS, 1_000)
    asyncio.run(deliver(product, numbers, DOCUMENTS, at_once=20))
    rows: list[tuple[Any, ...]] = []
    connection = psycopg2.connect(product.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT job_id, process_number, client_id FROM catalog.jobs WHERE process_number = ANY(%s)", (numbers,)
            )
            rows = cursor.fetchall()
    finally:
        connection.close()
    if len(rows) != count:
        raise BenchmarkFailed(f"{count} cases have {len(rows)} jobs")
    return [
        WebhookSubscribed(subscription_id=str(job), job_id=str(job), process_number=number, client_id=client, url="")
        for job, number, client in rows
    ]


def subscription(job: WebhookSubscribed, url: str) -> OutgoingRecord:
    """The record that subscribes ``url`` to a finished job; one delivery for each URL and job."""
    identity = subscription_id(job.job_id, job.client_id, url)
    event = job.model_copy(update={"subscription_id": identity, "url": url})
    return encode(event, WEBHOOK_SUBSCRIBED, event_id=identity, source="/autos/bench", time=utc_now())


def count_deliveries(product: Product, condition: str, *values: object) -> int:
    """How many deliveries are so; ``condition`` is SQL."""
    connection = psycopg2.connect(product.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM delivery.deliveries WHERE {condition}", values)
            return int((cursor.fetchone() or (0,))[0])
    finally:
        connection.close()
