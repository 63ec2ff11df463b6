"""The fair queue: turns, limits, due times; nothing is lost and nobody starves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from shared.kafka.consumer.fair_group_queue import FairQueue


def test_groups_are_served_in_turn() -> None:
    queue: FairQueue[str] = FairQueue(per_group=10)
    for i in range(4):
        queue.push(f"a{i}", "a")
    for i in range(2):
        queue.push(f"b{i}", "b")
    assert [queue.pop(0) for _ in range(6)] == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_small_group_passes_a_large_one() -> None:
    queue: FairQueue[str] = FairQueue(per_group=5)
    for i in range(5_000):
        queue.push(f"large{i}", "large")
    assert [queue.pop(0) for _ in range(6)] == [*(f"large{i}" for i in range(5)), None]
    queue.push("small", "small")
    queue.done("large")
    # "large" stood in line again only after "small" had come.
    assert queue.pop(0) == "small"


def test_not_before_keeps_an_item_until_it_is_due() -> None:
    queue: FairQueue[str] = FairQueue(per_group=1)
    queue.push("late", "a", not_before=20.0)
    queue.push("early", "a", not_before=10.0)
    assert queue.next_due() == 10.0
    assert queue.pop(9.9) is None
    assert queue.pop(10.0) == "early"
    assert queue.pop(30.0) is None
    queue.done("a")
    assert queue.pop(30.0) == "late"
    assert queue.next_due() is None


def test_a_dropped_item_is_never_served() -> None:
    queue: FairQueue[int] = FairQueue(per_group=3)
    for i in range(10):
        queue.push(i, "ab"[i % 2], not_before=5.0 if i > 7 else None)
    assert sorted(queue.drop(lambda item: item % 2 == 0)) == [0, 2, 4, 6, 8]
    assert len(queue) == 5
    served = []
    while (item := queue.pop(9)) is not None:
        served.append(item)
        queue.done("b")
    assert served == [1, 3, 5, 7, 9]


def test_done_without_a_pop_is_an_error() -> None:
    with pytest.raises(ValueError, match="without a pop"):
        FairQueue[int](per_group=1).done("a")


class FairQueueMachine(RuleBasedStateMachine):
    """Against a plain model: every push comes out once, in its group's order, within the limit, in turn."""

    pushed = Bundle("pushed")
    limit = 2

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[tuple[str, int]] = FairQueue(per_group=self.limit)
        self.now = 0.0
        self.count = 0
        self.waiting: dict[tuple[str, int], float] = {}
        self.in_flight: Counter[str] = Counter()
        self.out: set[tuple[str, int]] = set()
        self.passed: Counter[str] = Counter()

    @rule(group=st.sampled_from("abcd"), delay=st.one_of(st.none(), st.floats(-5, 20)))
    def push(self, group: str, delay: float | None) -> None:
        item = (group, self.count)
        self.count += 1
        due = None if delay is None else self.now + delay
        self.queue.push(item, group, due)
        self.waiting[item] = self.now if due is None else due

    @rule(seconds=st.floats(0, 10))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def _ready_groups(self) -> set[str]:
        return {
            group for (group, _), due in self.waiting.items() if due <= self.now and self.in_flight[group] < self.limit
        }

    @rule()
    def pop(self) -> None:
        ready = self._ready_groups()
        item = self.queue.pop(self.now)
        if item is None:
            assert not ready
            return
        group = item[0]
        assert group in ready
        assert self.waiting.pop(item) <= self.now
        assert item not in self.out
        self.out.add(item)
        self.in_flight[group] += 1
        # Nobody starves: while a group is ready, each other one passes it at most once (twice: it may stand
        # before it in the line, and may have become ready in the same instant).
        for other in ready - {group}:
            self.passed[other] += 1
            assert self.passed[other] <= 2 * len("abcd")
        self.passed[group] = 0

    @rule(group=st.sampled_from("abcd"))
    def done(self, group: str) -> None:
        if self.in_flight[group]:
            self.in_flight[group] -= 1
            self.queue.done(group)

    @rule(modulus=st.integers(2, 4))
    def drop(self, modulus: int) -> None:
        dropped = self.queue.drop(lambda item: item[1] % modulus == 0)
        assert sorted(dropped) == sorted(item for item in self.waiting if item[1] % modulus == 0)
        for item in dropped:
            del self.waiting[item]

    @invariant()
    def nothing_is_lost_and_no_limit_is_exceeded(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert all(count <= self.limit for count in self.in_flight.values())

    def teardown(self) -> None:
        for group, count in self.in_flight.items():
            for _ in range(count):
                self.queue.done(group)
        left = set()
        while (item := self.queue.pop(self.now + 1_000)) is not None:
            left.add(item)
            self.queue.done(item[0])
        assert left == set(self.waiting)


TestFairQueueMachine = FairQueueMachine.TestCase
TestFairQueueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
