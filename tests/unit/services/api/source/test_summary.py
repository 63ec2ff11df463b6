"""Counts summed up."""

from __future__ import annotations

from services.api.source.summary import RequestSummary


def test_failures_are_by_code_and_their_times_are_not_those_of_answers() -> None:
    summary = RequestSummary()
    summary.add("succeeded", 2, 90)
    summary.add("succeeded", 5, 10)
    summary.add("source_throttled", -1, 2)
    summary.add("source_unavailable", -1, 3)
    summary.add("no_access", -1, 1)
    assert summary.view() == {
        "requests": 106,
        "succeeded": 100,
        "throttled": 2,
        "unavailable": 3,
        "failures": {"no_access": 1, "source_throttled": 2, "source_unavailable": 3},
        "latency_p50_ms": 183,
        "latency_p95_ms": 1750,
    }


def test_without_an_answer_there_is_no_latency() -> None:
    summary = RequestSummary()
    summary.add("source_unavailable", -1, 3)
    assert (summary.view()["latency_p50_ms"], summary.view()["succeeded"]) == (None, 0)
