"""An event that the broker will never take: the others go on, its job ends, the operator sees it and sends it again."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tests.e2e.journey import ask, autos, owner_cursor
from tests.hostile import harvest, pour
from tests.product import Product
from tests.support import wait_until

NumberFactory = Callable[[], str]


@pytest.fixture
def refused(product: Product, process_number: NumberFactory) -> Iterator[tuple[str, str]]:
    """A job whose request is larger than any broker takes, and its case; nothing of it is left."""
    number, job_id = process_number(), str(uuid.uuid4())
    event = {"job_id": job_id, "process_number": number, "client_id": "dev", "document_ids": ["x" * 1_500_000]}
    with owner_cursor(product) as cursor:
        cursor.execute(
            "INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, created_at)"
            " VALUES (%s, %s, 'dev', 'all', false, %s)",
            (job_id, number, datetime.now(UTC)),
        )
        cursor.execute("INSERT INTO catalog.process_requests VALUES ('dev', %s, now(), now())", (number,))
        cursor.execute(
            "INSERT INTO catalog.outbox (id, aggregatetype, aggregateid, type, payload, headers)"
            " VALUES (%s, 'process.requested', %s, 'autos.process.requested', %s, '{}')",
            (str(uuid.uuid4()), number, orjson.dumps(event).decode()),
        )
    yield number, job_id
    with owner_cursor(product) as cursor:
        cursor.execute("DELETE FROM catalog.outbox WHERE aggregateid = %s AND published_at IS NULL", (number,))


def test_a_refused_request_ends_its_job_and_nobody_else_waits(
    product: Product, process_number: NumberFactory, refused: tuple[str, str]
) -> None:
    number, job_id = refused
    healthy = process_number()
    product.simulator.put_case(healthy, documents=2, size=1000)
    ask(product, healthy, webhook_url=product.receiver.url("/aside/healthy"))
    assert product.wait_for_end(healthy)["status"] == "completed"
    product.wait_for_webhook("/aside/healthy")

    def ended() -> dict[str, Any] | None:
        view: dict[str, Any] = product.client.get(f"/jobs/{job_id}").json()
        return view if view["status"] == "failed" else None

    view = wait_until(ended)
    assert view is not None and view["error_code"] == "event_refused" and "too_large" in view["error_message"]
    ready = product.client.get("/health/ready").json()
    assert ready["checks"]["outbox"] == "ok", ready

    listed = autos(product, "dead", "list", "--process", number).stdout
    (event_id,) = re.findall(r"^(outbox/catalog/\d+) .* process\.requested .* too_large$", listed, re.M)
    checked = autos(product, "doctor")
    assert checked.returncode == 1
    assert "catalog: 1 set aside (`autos dead list`)" in checked.stdout
    counted = [product.client.get(f"{url}/metrics").text for url in product.api_urls]
    assert sum(_set_aside(text, "too_large") for text in counted) >= 1
    # There from the start.
    assert [_set_aside(text, "refused") for text in counted] == [0] * len(counted)

    with owner_cursor(product) as cursor:
        # Its cause is mended: what was too large is not any more.
        small = orjson.dumps({"job_id": job_id, "process_number": number, "client_id": "dev"}).decode()
        cursor.execute("UPDATE catalog.outbox SET payload = %s WHERE set_aside_at IS NOT NULL", (small,))
    replayed = autos(product, "dead", "replay", event_id)
    assert replayed.returncode == 0, replayed.stderr
    assert "a job that has ended keeps its end" in replayed.stdout

    def published() -> bool:
        with owner_cursor(product) as cursor:
            cursor.execute("SELECT published_at FROM catalog.outbox WHERE seq = %s", (event_id.rpartition("/")[2],))
            return cursor.fetchone()[0] is not None

    wait_until(published)
    assert product.client.get(f"/jobs/{job_id}").json()["status"] == "failed"


def _set_aside(metrics: str, reason: str) -> float:
    name = f'autos_outbox_set_aside_total{{reason="{reason}",schema="catalog"}} '
    (found,) = [line.removeprefix(name) for line in metrics.splitlines() if line.startswith(name)]
    return float(found)


TOPICS = (
    "document.events",
    "process.requested",
    "process.retry.5s",
    "document.requested",
    "document.retry.5s",
    "process.completed",
    "webhook.subscribed",
    "webhook.retry.5s",
    "webhook.retry.6h",
)


async def test_nobody_stands_still_whatever_is_written_to_any_topic(
    product: Product, process_number: NumberFactory
) -> None:
    """A few hundred records that nobody should write, on each topic that is consumed; then a case goes through."""
    pids = {name: product.pid(name) for name in ("downloader", "status", "notifier")}
    records = {topic: harvest(topic, 40, seed) for seed, topic in enumerate(TOPICS)}
    assert await pour(product.stack()["kafka"], records) > 250
    number = process_number()
    product.simulator.put_case(number, documents=3, size=1000)
    ask(product, number, webhook_url=product.receiver.url("/aside/after"))
    assert product.wait_for_end(number, 60)["status"] == "completed"
    (call,) = product.wait_for_webhook("/aside/after")
    assert call.verified
    assert {name: product.pid(name) for name in pids} == pids
