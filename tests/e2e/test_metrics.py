"""What Prometheus scrapes of the running services: what is declared and nothing else, and nobody's data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.e2e.journey import ask
from tests.product import Product
from tests.support import wait_until
from tools.reference.metrics import by_metric, families

_LATER: Final = re.compile(r"[a-zA-Z0-9_.:{}/+*-]{1,120}")
"""What the values of the labels look like that have no list of values: templates of routes, statuses, sources."""
_EMBEDDED: Final = ("downloader", "status", "notifier")


def scraped(product: Product, service: str) -> list[Sample]:
    """The service's samples, as Prometheus parses them."""
    address = product.api_url
    if service in _EMBEDDED:
        port = psutil.Process(product.pid(service)).environ()["AUTOS_METRICS_PORT"]
        address = f"http://127.0.0.1:{port}"
    text = httpx.get(f"{address}/metrics", trust_env=False).raise_for_status().text
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value(samples: list[Sample], name: str, **labels: str) -> float:
    """The sum of a metric's series with these labels."""
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def test_every_service_shows_what_is_declared_with_labels_of_the_list(
    product: Product, process_number: Callable[[], str]
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=2, size=1_000)
    ask(product, number, webhook_url=product.receiver.url("/metrics/labels"))
    product.wait_for_end(number)
    product.wait_for_webhook("/metrics/labels")
    # A method and a path of the client's own.
    product.client.request("PROPFIND", f"/{number}")
    for service, declared in families().items():
        known = by_metric({service: declared})
        samples = [sample for sample in scraped(product, service) if sample.name.startswith("autos_")]
        names = {re.sub(r"_(bucket|count|sum|created)$", "", sample.name) for sample in samples}
        exposed = {name.removesuffix("_total") for name in names}
        assert exposed <= {name.removesuffix("_total") for name in known}, service
        assert {metric.name for metric, _ in known.values()} <= names, service
        values = {name: {one.name: one for one in metric.labels} for name, (metric, _) in known.items()}
        for sample in samples:
            labels = values.get(re.sub(r"_(bucket|count|sum|created)$", "", sample.name), {})
            for label, held in sample.labels.items():
                if label in labels and labels[label].values and not labels[label].bound:
                    assert held in labels[label].values, sample
                elif label != "le":
                    assert _LATER.fullmatch(held), sample
                assert number not in held and "http" not in held, sample
        # A scrape stays small, whatever happens.
        assert len(samples) < 6_000, service


def test_what_happened_is_counted_once_and_where_it_belongs(
    product: Product, process_number: Callable[[], str]
) -> None:
    number, path = process_number(), "/metrics/counted"
    product.simulator.put_case(number, documents=3, size=1_000)
    before = {service: scraped(product, service) for service in families()}

    def risen(service: str, name: str, **labels: str) -> float:
        return value(scraped(product, service), name, **labels) - value(before[service], name, **labels)

    ask(product, number, webhook_url=product.receiver.url(path))
    assert product.wait_for_end(number)["status"] == "completed"
    product.wait_for_webhook(path)
    # What is done is seen a moment before it is counted.
    wait_until(lambda: risen("status", "autos_status_job_seconds_count") >= 1)
    wait_until(lambda: risen("downloader", "autos_downloader_documents_total", outcome="available") >= 3)
    assert risen("downloader", "autos_downloader_documents_total", outcome="available") == 3
    assert risen("downloader", "autos_source_answers_total", source="pdpj", verdict="answered") >= 3
    wait_until(
        lambda: risen("notifier", "autos_webhook_endpoint_attempts_total", state="healthy", result="delivered") >= 1,
        60,
        "the delivery in the metrics",
    )
    assert risen("notifier", "autos_webhook_delivery_seconds_count") >= 1


@pytest.mark.usefixtures("whole_minute")
def test_a_long_poll_is_not_the_api_s_own_time(product: Product, process_number: Callable[[], str]) -> None:
    """One API of the product answers: what it waited for the client's sake is left out of its own time."""
    number = process_number()
    product.simulator.put_case(number, documents=1, size=1_000)
    ask(product, number)
    product.wait_for_end(number)
    tag = product.client.get(f"/processes/{number}/status").headers["etag"]
    before = scraped(product, "api")
    waited = product.client.get(f"/processes/{number}/status", params={"wait": "1"}, headers={"If-None-Match": tag})
    assert waited.status_code == 304
    after = scraped(product, "api")
    route = "/processes/{numero}/status"
    whole = value(after, "autos_api_request_seconds_sum", route=route) - value(
        before, "autos_api_request_seconds_sum", route=route
    )
    own = value(after, "autos_api_answer_seconds_sum") - value(before, "autos_api_answer_seconds_sum")
    assert whole > 0.9
    assert own < whole - 0.7
