"""Metrics are declared with everything an operator needs, and a counter has its known series before its first event."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.api.http.problem_codes import problem_codes
from services.api.metrics import ApiMetrics, result_of
from services.downloader.metrics import DownloaderMetrics
from services.notifier.domain.delivery import Effect
from services.notifier.domain.endpoint_health import EndpointState
from services.notifier.metrics import NotifierMetrics
from services.status.metrics import StatusMetrics
from shared.kafka.metrics import KafkaMetrics
from shared.metrics import MOST_SERIES, DeclaredMetric, Label, MetricFamilies, MetricKind
from shared.outbox.metrics import OutboxMetrics
from sources.errors import DocumentNotFound, SourceThrottled
from sources.metrics import SourceMetrics
from tools.reference.metrics import by_metric, families

LABELS: Final = {
    *("code", "how", "method", "outcome", "reason", "result", "route", "runtime"),
    *("schema", "scope", "source", "state", "status", "topic", "verdict", "way"),
}
"""Every label that there may be. None of them can hold a case, a client, an address, or what somebody wrote."""


def every_metric() -> list[DeclaredMetric]:
    return [metric for metric, _ in by_metric(families()).values()]


def made() -> Iterator[tuple[CollectorRegistry, MetricFamilies]]:
    """The metrics of all services; each in a registry of its own, since services may have one of the same name."""
    for metrics in (ApiMetrics, DownloaderMetrics, NotifierMetrics, StatusMetrics):
        registry = CollectorRegistry()
        yield registry, metrics(registry).families


@pytest.mark.parametrize("metric", every_metric(), ids=lambda metric: metric.name)
def test_labels_are_of_the_list_and_have_a_bound(metric: DeclaredMetric) -> None:
    for label in metric.labels:
        assert label.name in LABELS
        assert label.values or label.bound
        assert len(label.values) <= 64
    assert re.fullmatch(r"autos(_[a-z]+)+", metric.name)
    assert metric.meaning and not metric.meaning.endswith(".")
    # Prometheus' own rules for names: the unit at the end, `total` behind a counter's.
    assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
    if metric.unit == "seconds":
        assert metric.name.removesuffix("_total").endswith("_seconds")


def test_a_counter_has_each_known_series_from_the_start() -> None:
    seen = 0
    for registry, of_service in made():
        text = generate_latest(registry).decode()
        for metric in of_service.declared:
            if metric.kind is not MetricKind.COUNTER or not all(label.values for label in metric.labels):
                continue
            for values in itertools.product(*(label.values for label in metric.labels)):
                labels = dict(zip([label.name for label in metric.labels], values, strict=True))
                assert registry.get_sample_value(metric.name, labels) == 0.0, (metric.name, labels)
                seen += 1
        assert "NaN" not in text
    assert seen > 60


def test_a_runtime_and_a_source_begin_with_all_of_their_series() -> None:
    registry = CollectorRegistry()
    KafkaMetrics(registry).begin("fetcher", ["document.requested"])
    for outcome in ("done", "skipped", "poison", "handler_error"):
        labels = {"runtime": "fetcher", "outcome": outcome}
        assert registry.get_sample_value("autos_consumer_records_handled_total", labels) == 0.0
    for name in ("handler_failures", "commit_failures"):
        assert registry.get_sample_value(f"autos_consumer_{name}_total", {"runtime": "fetcher"}) == 0.0
    assert registry.get_sample_value("autos_consumer_lag", {"runtime": "fetcher", "topic": "document.requested"}) == 0.0

    answers = SourceMetrics(registry)
    answers.begin("pdpj")
    heard = answers.counting(lambda _case: "pdpj")
    throttled = {"source": "pdpj", "verdict": "source_away", "code": "source_throttled"}
    assert registry.get_sample_value("autos_source_answers_total", throttled) == 0.0
    heard("1000145-91.2023.8.26.0597", None, 0.2)
    heard("1000145-91.2023.8.26.0597", SourceThrottled(), 0.2)
    heard("1000145-91.2023.8.26.0597", DocumentNotFound(), 0.2)
    assert registry.get_sample_value("autos_source_answers_total", throttled) == 1.0
    assert "1000145" not in generate_latest(registry).decode()


def test_an_outbox_begins_with_every_reason() -> None:
    registry = CollectorRegistry()
    OutboxMetrics("catalog", registry)
    for reason in ("too_large", "refused", "unknown_topic"):
        labels = {"schema": "catalog", "reason": reason}
        assert registry.get_sample_value("autos_outbox_set_aside_total", labels) == 0.0


def test_problems_are_counted_by_codes_that_are_known() -> None:
    registry = CollectorRegistry()
    ApiMetrics(registry, problem_codes())
    for code in ("internal_error", "service_unavailable", "rate_limited"):
        assert registry.get_sample_value("autos_api_problems_total", {"code": code}) == 0.0
    assert [result_of(status) for status in (None, 200, 307, 404, 499, 500, 503)] == [
        *("failed", "answered", "answered", "refused", "refused", "failed", "failed")
    ]


def test_an_attempt_counts_for_the_state_that_its_endpoint_was_in() -> None:
    registry = CollectorRegistry()
    metrics = NotifierMetrics(registry)
    metrics.recorded(Effect.DELIVERED, EndpointState.HEALTHY, 0.4)
    metrics.recorded(Effect.DELIVERED, EndpointState.FAILING, None)
    metrics.recorded(Effect.RETRY, EndpointState.HEALTHY, None)
    metrics.recorded(Effect.EXHAUSTED, EndpointState.FAILING, None)
    # Neither says anything of the endpoint: another process has the delivery; the body was ours to make smaller.
    metrics.recorded(Effect.NONE, EndpointState.HEALTHY, None)
    metrics.recorded(Effect.SHRINK, EndpointState.HEALTHY, None)

    def count(state: str, result: str) -> float | None:
        return registry.get_sample_value("autos_webhook_endpoint_attempts_total", {"state": state, "result": result})

    assert (count("healthy", "delivered"), count("healthy", "failed")) == (1.0, 1.0)
    assert (count("failing", "delivered"), count("failing", "failed")) == (1.0, 1.0)
    assert registry.get_sample_value("autos_webhook_delivery_seconds_count") == 1.0


def test_too_many_series_are_refused_when_they_are_declared() -> None:
    values = tuple(str(number) for number in range(MOST_SERIES + 1))
    with pytest.raises(ValueError, match="series at the start"):
        MetricFamilies(CollectorRegistry()).counter("autos_many", "things", "Things", Label("outcome", values))
