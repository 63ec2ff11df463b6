"""The rules of deliveries, outboxes, objects and groups, and the second look that clears what was on its way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ops.invariants import deliveries, groups, objects
from ops.invariants.deliveries import OpenDelivery, UnpublishedEvents
from ops.invariants.findings import Findings, Mismatch, Patience, Rule
from ops.invariants.groups import Backlog
from ops.invariants.objects import StoredDocument

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(seconds=61)
JUST_NOW = NOW - timedelta(seconds=59)
KEY = "processes/1/documents/d"

DELIVERY = OpenDelivery("d", "waiting", LONG_AGO, None, False, False, False)
DOCUMENT = StoredDocument("1", "d", KEY, 10, "aa")
BACKLOG = Backlog("autos.status", "document.events", 3, 7, "", 2, LONG_AGO, 1, may_wait=False)


def delivery_rules(delivery: OpenDelivery) -> list[Rule]:
    return [mismatch.rule for mismatch in deliveries.judge(delivery, NOW, Patience())]


def test_an_overdue_delivery_to_a_healthy_endpoint_is_found() -> None:
    assert delivery_rules(DELIVERY) == [Rule.DELIVERY_OVERDUE]
    assert delivery_rules(replace(DELIVERY, next_attempt_at=None)) == [Rule.DELIVERY_OVERDUE]


@pytest.mark.parametrize(
    "waiting",
    [
        replace(DELIVERY, next_attempt_at=JUST_NOW),
        replace(DELIVERY, next_attempt_at=NOW + timedelta(hours=6)),
        replace(DELIVERY, endpoint_disabled=True, next_attempt_at=None),
        replace(DELIVERY, endpoint_failing=True),
        replace(DELIVERY, endpoint_busy=True),
        replace(DELIVERY, status="sending", lease_until=JUST_NOW),
    ],
)
def test_a_delivery_that_waits_for_a_reason_is_no_mismatch(waiting: OpenDelivery) -> None:
    assert delivery_rules(waiting) == []


@pytest.mark.parametrize("lease", [LONG_AGO, None])
def test_a_lease_that_nobody_took_up_is_found(lease: datetime | None) -> None:
    assert delivery_rules(replace(DELIVERY, status="sending", lease_until=lease)) == [Rule.DELIVERY_LEASE]


@pytest.mark.parametrize(("seconds", "count"), [(9, 0), (11, 1)])
def test_an_outbox_row_of_more_than_ten_seconds_is_found(seconds: int, count: int) -> None:
    outbox = UnpublishedEvents("catalog", 4, NOW - timedelta(seconds=seconds))
    assert len(list(deliveries.judge_outbox(outbox, NOW, Patience()))) == count


@pytest.mark.parametrize(
    ("document", "size", "digest", "rules"),
    [
        (DOCUMENT, 10, None, []),
        (DOCUMENT, 10, "aa", []),
        (DOCUMENT, None, None, [Rule.OBJECT_MISSING]),
        (DOCUMENT, 9, None, [Rule.OBJECT_SIZE]),
        (DOCUMENT, 10, "bb", [Rule.OBJECT_HASH]),
        (replace(DOCUMENT, object_key="elsewhere"), 10, None, [Rule.OBJECT_KEY]),
        (replace(DOCUMENT, object_key=None), 10, None, [Rule.OBJECT_KEY]),
        (replace(DOCUMENT, size=None), 10, None, [Rule.OBJECT_SIZE]),
    ],
)
def test_a_document_and_its_object_are_compared(
    document: StoredDocument, size: int | None, digest: str | None, rules: list[Rule]
) -> None:
    assert [mismatch.rule for mismatch in objects.judge(document, KEY, size, digest)] == rules


def group_rules(backlog: Backlog) -> list[Rule]:
    return [mismatch.rule for mismatch in groups.judge(backlog, NOW, Patience())]


def test_a_backlog_that_nobody_reads_or_that_stands_still_is_found() -> None:
    assert group_rules(BACKLOG) == [Rule.GROUP_STALLED]
    assert group_rules(replace(BACKLOG, members=0)) == [Rule.GROUP_UNREAD]
    assert group_rules(replace(BACKLOG, members=0, may_wait=True)) == [Rule.GROUP_UNREAD]


def test_a_backlog_that_is_young_not_due_or_waits_for_the_source_is_no_mismatch() -> None:
    assert group_rules(replace(BACKLOG, due_since=JUST_NOW)) == []
    assert group_rules(replace(BACKLOG, due_since=None)) == []
    assert group_rules(replace(BACKLOG, may_wait=True)) == []


@pytest.mark.parametrize("moved", [replace(BACKLOG, committed=8), replace(BACKLOG, metadata="a1.xyz")])
def test_a_backlog_that_moved_between_two_looks_is_another_one(moved: Backlog) -> None:
    first, later = (Findings(list(groups.judge(each, NOW, Patience()))) for each in (BACKLOG, moved))
    assert first.confirmed_by(later).mismatches == []
    assert first.confirmed_by(first).mismatches == first.mismatches != []


def test_only_what_both_looks_find_counts_and_the_later_words_are_told() -> None:
    arrived, stays, new = (Mismatch(Rule.JOB_STUCK, name, "10 s") for name in ("arrived", "stays", "new"))
    later = replace(stays, words="15 s")
    confirmed = Findings([arrived, stays]).confirmed_by(Findings([later, new], ["1 job"], Counter(jobs=2)))
    assert confirmed.mismatches == [later]
    assert confirmed.running == ["1 job"]
    assert confirmed.counted == {"jobs": 2}
