"""Two replicas of the API, as behind a load balancer: what one is told, the other knows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.e2e.journey import ask, autos
from tests.product import ENDED, Product
from tests.support import wait_until


def statuses(product: Product, key: str) -> list[int]:
    """What each replica answers to this key."""
    headers = {"authorization": f"Bearer {key}"}
    return [
        httpx.get(f"{url}/webhooks/deliveries", headers=headers, trust_env=False).status_code
        for url in product.api_urls
    ]


def test_a_revoked_key_is_refused_by_every_replica(product: Product) -> None:
    made = autos(product, "keys", "create", "replicas", "--scope", "webhooks")
    found = re.fullmatch(r"key id: (\S+)\n(\S+)\n", made.stdout)
    assert found, made.stdout + made.stderr
    key_id, key = found.groups()
    assert statuses(product, key) == [200, 200]
    assert autos(product, "keys", "revoke", key_id).returncode == 0
    wait_until(lambda: statuses(product, key) == [401, 401], what="a refusal everywhere")


def test_simultaneous_first_requests_at_two_replicas_are_one_job(
    product: Product, process_number: Callable[[], str]
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=3, size=1_000, latency=0.1)
    urls = itertools.cycle(product.api_urls)
    headers = {"authorization": f"Bearer {product.api_key}"}

    def first(url: str) -> str:
        answer = httpx.get(f"{url}/processes/{number}", headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["job"]["job_id"])

    with ThreadPoolExecutor(20) as threads:
        jobs = set(threads.map(first, [next(urls) for _ in range(20)]))
    assert len(jobs) == 1
    assert product.wait_for_end(number)["job_id"] in jobs


def test_a_long_poll_at_one_replica_hears_of_what_was_asked_at_the_other(
    product: Product, process_number: Callable[[], str]
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=4, size=1_000, latency=0.2)
    ask(product, number)
    headers = {"authorization": f"Bearer {product.api_key}"}
    with httpx.Client(base_url=product.api_urls[1], headers=headers, timeout=60, trust_env=False) as other:
        tag = ""
        seen: list[Any] = []
        while not seen or seen[-1] not in ENDED:
            # Each is answered by a change, long before its thirty seconds are over.
            answer = other.get(f"/processes/{number}/status?wait=30", headers={"if-none-match": tag}, timeout=20)
            assert answer.status_code == 200, answer.text
            tag, view = answer.headers["etag"], answer.json()
            seen.append(view["status"])
    assert seen[-1] == "completed"
    assert view["completed_documents"] == 4
