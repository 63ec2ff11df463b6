"""Failure rules: whom they hit, when they heal; and what the answer to each kind is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autos.local.pdpj.exchange import Ending, Reply
from autos.local.pdpj.failures import FailureKind, FailurePlan, FailureRule
from autos.local.pdpj.playing import failure


def reply_to(kind: FailureKind, **fields: object) -> Reply:
    good = Reply(200, b"Content-Type: application/pdf\r\n", b"0123456789")
    return failure(FailureRule(kind, **fields), good)  # type: ignore[arg-type]


@given(st.integers(1, 20), st.lists(st.sampled_from("abc"), max_size=80))
def test_each_document_fails_exactly_so_many_times_and_then_heals(times: int, requests: list[str]) -> None:
    plan = FailurePlan([FailureRule(FailureKind.ERROR_500, times=times)])
    failed = [plan.for_document(0, name) is not None for name in requests]
    for name in "abc":
        own = [result for result, requested in zip(failed, requests, strict=True) if requested == name]
        assert own == [position < times for position in range(len(own))]


def test_without_times_a_failure_never_heals() -> None:
    plan = FailurePlan([FailureRule(FailureKind.RESET, document=2)])
    assert all(plan.for_document(2, "x") is not None for _ in range(50))


def test_a_rule_names_a_document_by_index_or_by_id() -> None:
    plan = FailurePlan([FailureRule(FailureKind.RESET, document=1), FailureRule(FailureKind.HANG, document="id-3")])
    assert plan.for_document(0, "id-0") is None
    by_index, by_id = plan.for_document(1, "id-1"), plan.for_document(3, "id-3")
    assert by_index is not None and by_index.kind is FailureKind.RESET
    assert by_id is not None and by_id.kind is FailureKind.HANG


def test_rules_are_spent_one_after_the_other() -> None:
    plan = FailurePlan([FailureRule(FailureKind.ERROR_500, times=1), FailureRule(FailureKind.UNAVAILABLE_503, times=2)])
    played = [plan.for_document(0, "a") for _ in range(4)]
    assert [rule and rule.kind for rule in played] == ["error_500", "unavailable_503", "unavailable_503", None]


def test_rules_of_the_case_leave_its_documents_alone() -> None:
    plan = FailurePlan([FailureRule(FailureKind.NOT_FOUND_404, on="case")])
    assert plan.of("case") is not None
    assert plan.of("list", "search") is None
    assert plan.for_document(0, "a") is None


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.UNAUTHORIZED_TOKEN, 401),
        (FailureKind.NO_ACCESS_401, 401),
        (FailureKind.NO_ACCESS_403, 403),
        (FailureKind.FIREWALL_403, 403),
        (FailureKind.NOT_FOUND_404, 404),
        (FailureKind.ERROR_500, 500),
        (FailureKind.RATE_LIMIT, 429),
        (FailureKind.BAD_GATEWAY_502, 502),
        (FailureKind.UNAVAILABLE_503, 503),
        (FailureKind.TIMEOUT_504, 504),
        (FailureKind.EMPTY_BODY, 200),
        (FailureKind.SPA_SHELL, 200),
        (FailureKind.EMPTY_LIST, 200),
        (FailureKind.EMPTY_CONTENT, 200),
    ],
)
def test_each_kind_has_its_status_and_is_a_complete_answer(kind: FailureKind, status: int) -> None:
    reply = reply_to(kind)
    assert (reply.status, reply.ending) == (status, Ending.COMPLETE)


def test_only_missing_standing_says_so() -> None:
    words = "não possui acesso".encode()
    assert words in bytes(reply_to(FailureKind.NO_ACCESS_401).body)  # type: ignore[arg-type]
    assert words in bytes(reply_to(FailureKind.NO_ACCESS_403).body)  # type: ignore[arg-type]
    assert words not in bytes(reply_to(FailureKind.UNAUTHORIZED_TOKEN).body)  # type: ignore[arg-type]
    assert words not in bytes(reply_to(FailureKind.FIREWALL_403).body)  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "line"), [(2.0, b"Retry-After: 2\r\n"), ("soon", b"Retry-After: soon\r\n")])
def test_retry_after_is_seconds_or_the_text_given(value: float | str, line: bytes) -> None:
    assert line in reply_to(FailureKind.RATE_LIMIT, retry_after=value).headers
    assert b"Retry-After" not in reply_to(FailureKind.RATE_LIMIT).headers


def test_broken_connections_end_as_they_are_named() -> None:
    assert (reply_to(FailureKind.RESET).ending, reply_to(FailureKind.RESET).after_bytes) == (Ending.RESET, None)
    assert reply_to(FailureKind.HANG, after_bytes=3).after_bytes == 3
    cut = reply_to(FailureKind.SHORT_BODY)
    assert (cut.ending, cut.after_bytes, len(cut.body)) == (Ending.CUT, 5, 10)
