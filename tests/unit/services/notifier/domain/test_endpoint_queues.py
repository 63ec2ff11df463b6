"""The queues: limits are never exceeded, nobody starves, nothing is lost; and the breaker within them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.endpoint_breaker import EndpointBreaker, EndpointBreakerPolicy
from services.notifier.domain.endpoint_queues import EndpointQueues, QueuePolicy
from services.notifier.domain.slots import SlotLimits

LIMITS = SlotLimits(in_all=6, by_origin=4, by_endpoint=2, ahead=2)
BREAKER = EndpointBreakerPolicy(failures=3, cooldown=5.0)
SMALL = QueuePolicy(LIMITS, capacity=8, breaker=BREAKER)
AHEAD = QueuePolicy(SlotLimits(in_all=100, by_origin=50, by_endpoint=4, ahead=8), breaker=BREAKER)


def due(number: int, endpoint: str = "e", origin: str = "o", client: str = "c") -> DueDelivery:
    return DueDelivery(f"{endpoint}-{number}", endpoint, origin, client)


def begin(queues: EndpointQueues, now: float = 0.0) -> list[DueDelivery]:
    """Take, claim and start everything that may be."""
    taken = queues.take(now, 100)
    for found in taken:
        queues.claimed(found)
    return [started for endpoint in {found.endpoint_id for found in taken} for started in queues.start(endpoint)]


def test_a_dead_endpoint_holds_its_own_slots_only() -> None:
    queues = EndpointQueues(QueuePolicy())
    for number in range(200):
        queues.offer(due(number, "dead", "d"))
    assert len(begin(queues)) == 4
    queues.offer(due(1, "healthy", "h"))
    assert [found.endpoint_id for found in begin(queues)] == ["healthy"]


def test_a_client_with_any_number_of_dead_origins_leaves_room_for_others() -> None:
    """An address for each case, below a name that answers everything: thousands of endpoints, and none answers."""
    queues = EndpointQueues(QueuePolicy(SlotLimits(in_all=20, by_client=12)))
    for number in range(500):
        queues.offer(due(number, f"dead{number}", f"d{number}", "bad"))
    stuck = begin(queues)
    assert len(stuck) == 12
    for number in range(3):
        queues.offer(due(number, "healthy", "h", "good"))
    assert [found.endpoint_id for found in begin(queues)] == ["healthy"] * 3
    # As its own end, the next begin: one for one.
    queues.ended(stuck[0], 1.0, succeeded=False, seconds=1.0)
    queues.forget(stuck[0].delivery_id)
    assert [found.client_id for found in begin(queues, 1.0)] == ["bad"]


def test_endpoints_are_served_in_turn() -> None:
    queues = EndpointQueues(QueuePolicy())
    for endpoint in ("a", "b", "c"):
        for number in range(4):
            queues.offer(due(number, endpoint, endpoint))
    assert [found.endpoint_id for found in queues.take(0.0, 6)] == ["a", "b", "c", "a", "b", "c"]


def test_a_known_delivery_is_offered_in_vain_until_it_is_forgotten() -> None:
    queues = EndpointQueues(QueuePolicy())
    assert queues.offer(due(1))
    assert not queues.offer(due(1))
    (started,) = begin(queues)
    queues.ended(started, 0.0, succeeded=True, seconds=0.01)
    assert not queues.offer(due(1))
    queues.forget(started.delivery_id)
    assert queues.offer(due(1))


def test_a_full_queue_leaves_the_rest_in_the_database_and_asks_for_it_later() -> None:
    queues = EndpointQueues(SMALL)
    assert [queues.offer(due(number)) for number in range(10)] == [True] * 8 + [False] * 2
    assert queues.full() == ["e"]
    assert not queues.has_room_again()
    while queues.full() or not queues.has_room_again():
        for started in begin(queues):
            queues.ended(started, 0.0, succeeded=True, seconds=1.0)
            queues.forget(started.delivery_id)
    assert not queues.has_room_again()


def quick_queue(policy: QueuePolicy, count: int = 100) -> tuple[EndpointQueues, list[DueDelivery]]:
    """A queue whose endpoint has just answered quickly, and what is claimed or being sent of it."""
    queues = EndpointQueues(policy)
    for number in range(count):
        queues.offer(due(number))
    for started in begin(queues):
        queues.ended(started, 0.0, succeeded=True, seconds=0.01)
    return queues, queues.take(0.0, 100)


def test_only_a_quick_endpoint_is_claimed_ahead() -> None:
    queues = EndpointQueues(AHEAD)
    for number in range(100):
        queues.offer(due(number))
    assert len(begin(queues)) == 4
    _, taken = quick_queue(AHEAD)
    assert len(taken) == 4 + 8


def test_claims_ahead_come_in_batches() -> None:
    queues, taken = quick_queue(AHEAD)
    for found in taken:
        queues.claimed(found)
    more: list[int] = []
    for _ in range(8):
        for started in queues.start("e")[:1] or []:
            queues.ended(started, 0.0, succeeded=True, seconds=0.01)
            more.append(len(queues.take(0.0, 100)))
    # Nothing until half of what was claimed ahead is used, then all of it at once.
    assert more[:5] == [0, 0, 0, 0, 5]


def test_what_is_claimed_ahead_leaves_half_of_the_origin_to_others() -> None:
    queues, taken = quick_queue(QueuePolicy(SlotLimits(by_origin=16, ahead=100)))
    assert len(taken) == 8
    for number in range(4):
        queues.offer(due(number, "neighbour"))
    assert len(queues.take(0.0, 100)) == 4


def test_an_open_breaker_holds_then_probes_with_one_and_a_success_closes_it() -> None:
    queues = EndpointQueues(SMALL)
    for number in range(8):
        queues.offer(due(number))
    for _ in range(2):
        for started in begin(queues):
            queues.ended(started, 0.0, succeeded=False, seconds=1.0)
    assert queues.open_breakers() == 1
    assert begin(queues, 4.9) == []
    assert queues.next_due() == 5.0
    (probe,) = begin(queues, 5.0)
    assert begin(queues, 5.0) == []
    queues.ended(probe, 6.0, succeeded=False, seconds=1.0)
    assert begin(queues, 15.9) == []
    (probe,) = begin(queues, 16.0)
    queues.ended(probe, 16.0, succeeded=True, seconds=1.0)
    assert len(begin(queues, 16.0)) == 2


def test_what_is_claimed_ahead_is_recalled_when_the_breaker_opens() -> None:
    queues, taken = quick_queue(AHEAD)
    for found in taken:
        queues.claimed(found)
    assert not queues.held("e")
    for started in queues.start("e")[:3]:
        queues.ended(started, 0.0, succeeded=False, seconds=0.01)
    assert queues.claimed_ahead() == ["e"]
    assert queues.held("e")
    recalled = queues.recall("e")
    assert recalled == taken[4:]
    assert queues.claimed_ahead() == []
    assert queues.taken == 1
    # They wait in their order, before the others; the probe is the first of them.
    assert queues.take(4.9, 100) == []
    assert queues.take(5.0, 100) == []
    (last,) = [found for found in taken[:4] if found.delivery_id == taken[3].delivery_id]
    queues.ended(last, 5.0, succeeded=False, seconds=5.0)
    assert queues.take(5.0, 100) == recalled[:1]
    assert not queues.held("e")


def test_a_probe_that_is_not_sent_lets_another_go() -> None:
    breaker = EndpointBreaker(EndpointBreakerPolicy(failures=1, cooldown=5.0))
    breaker.failed(0.0)
    assert not breaker.admits(4.9)
    assert breaker.admits(5.0)
    breaker.taken()
    assert not breaker.admits(5.0)
    breaker.put_back()
    assert breaker.admits(5.0)


@given(st.lists(st.booleans(), max_size=60))
def test_a_breaker_opens_after_a_run_of_failures_only(results: list[bool]) -> None:
    policy = EndpointBreakerPolicy(failures=3)
    breaker, run = EndpointBreaker(policy), 0
    for succeeded in results:
        if not breaker.closed:
            break
        if succeeded:
            breaker.succeeded()
            run = 0
        else:
            breaker.failed(0.0)
            run += 1
        assert breaker.closed is (run < 3)


def test_a_rate_spaces_the_starts_of_an_endpoint() -> None:
    queues = EndpointQueues(QueuePolicy(interval=1.0))
    for number in range(3):
        queues.offer(due(number))
    queues.offer(due(0, "other", "x"))
    assert sorted(found.endpoint_id for found in begin(queues, 10.0)) == ["e", "other"]
    assert begin(queues, 10.5) == []
    assert queues.next_due() == 11.0
    assert len(begin(queues, 11.0)) == 1


def test_an_endpoint_has_a_rate_of_its_own_and_never_one_above_that_of_all() -> None:
    for of_all, own, spaced in ((0.0, 2.0, 2.0), (3.0, 2.0, 3.0), (1.0, None, 1.0)):
        queues = EndpointQueues(QueuePolicy(interval=of_all))
        for number in range(2):
            queues.offer(replace(due(number), least_seconds=own))
        assert len(begin(queues, 10.0)) == 1
        assert begin(queues, 10.0 + spaced - 0.1) == []
        assert queues.next_due() == 10.0 + spaced
        assert len(begin(queues, 10.0 + spaced)) == 1


def test_what_is_early_by_the_rate_over_all_replicas_waits_before_the_others() -> None:
    queues = EndpointQueues(QueuePolicy(interval=1.0))
    for number in range(2):
        queues.offer(due(number))
    (first,) = queues.take(10.0, 5)
    # Another replica has sent one meanwhile.
    queues.early(first, 10.7)
    assert queues.taken == 0 and queues.take(10.6, 5) == []
    assert queues.next_due() == 10.7
    assert queues.take(10.7, 5) == [first]
    # Its own next one is reserved for later than its interval says.
    queues.claimed(first, next_at=12.5)
    assert queues.start(first.endpoint_id) == [first]
    queues.ended(first, 10.8, succeeded=True, seconds=0.1)
    assert queues.take(12.4, 5) == []
    assert [found.delivery_id for found in queues.take(12.5, 5)] == [due(1).delivery_id]


def test_an_endpoint_with_a_rate_has_nothing_claimed_that_it_has_no_slot_for() -> None:
    queues = EndpointQueues(QueuePolicy(SlotLimits(by_endpoint=2, ahead=8), interval=0.1))
    for number in range(12):
        queues.offer(due(number))
    (quick,) = begin(queues, 10.0)
    queues.ended(quick, 10.01, succeeded=True, seconds=0.01)
    for tenth in range(1, 9):
        begin(queues, 10.0 + tenth / 10)
    assert queues.taken == 2


def test_an_endpoint_with_nothing_to_do_is_forgotten_but_not_its_rate() -> None:
    queues = EndpointQueues(QueuePolicy(interval=1.0))
    for number in range(2):
        queues.offer(due(number))
        (found,) = begin(queues, 10.0 + number)
        queues.ended(found, 10.0 + number, succeeded=True, seconds=0.01)
        queues.forget(found.delivery_id)
        assert begin(queues, 10.5 + number) == []
        assert queues.endpoints == 1
    assert begin(queues, 12.0) == []
    assert queues.endpoints == 0


class AnyOrder(RuleBasedStateMachine):
    """Offers, claims, ends in any order: the limits hold and every delivery that was taken in comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.queues = EndpointQueues(SMALL)
        self.now = 0.0
        self.number = 0
        self.inside: dict[str, DueDelivery] = {}
        self.taken: dict[str, DueDelivery] = {}
        self.started: dict[str, DueDelivery] = {}

    @rule(endpoint=st.sampled_from("abcd"), count=st.integers(1, 5))
    def offers(self, endpoint: str, count: int) -> None:
        for _ in range(count):
            self.number += 1
            offered = due(self.number, endpoint, "x" if endpoint in "ab" else "y")
            if self.queues.offer(offered):
                self.inside[offered.delivery_id] = offered

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(most=st.integers(1, 10), refused=st.sets(st.integers(0, 9)))
    def takes(self, most: int, refused: set[int]) -> None:
        for index, found in enumerate(self.queues.take(self.now, most)):
            assert self.inside.pop(found.delivery_id) == found
            if index in refused:
                self.queues.put_back(found)
                continue
            self.taken[found.delivery_id] = found
            self.queues.claimed(found)
        self.starts()

    def starts(self) -> None:
        for endpoint in "abcd":
            for found in self.queues.start(endpoint):
                self.started[found.delivery_id] = self.taken[found.delivery_id]

    @rule(endpoint=st.sampled_from("abcd"))
    def recalls(self, endpoint: str) -> None:
        for found in self.queues.recall(endpoint):
            assert found.delivery_id not in self.started
            self.inside[found.delivery_id] = self.taken.pop(found.delivery_id)

    @precondition(lambda self: self.started)
    @rule(data=st.data(), how=st.sampled_from(["ok", "quick", "failed", "abandoned"]))
    def ends(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.started)))
        found = self.started.pop(name)
        del self.taken[name]
        if how == "abandoned":
            self.queues.abandoned(found)
        else:
            seconds = 0.01 if how == "quick" else 1.0
            self.queues.ended(found, self.now, succeeded=how != "failed", seconds=seconds)
        self.queues.forget(name)
        self.starts()

    @invariant()
    def limits_hold(self) -> None:
        assert self.queues.taken == len(self.taken) <= LIMITS.in_all
        for origin in "xy":
            assert sum(found.origin == origin for found in self.taken.values()) <= LIMITS.by_origin
        for endpoint in "abcd":
            assert sum(found.endpoint_id == endpoint for found in self.started.values()) <= LIMITS.by_endpoint
        assert len(self.queues) == len(self.inside) + len(self.taken)

    def teardown(self) -> None:
        """Whatever happened, with receivers that answer everything comes out."""
        for _ in range(10_000):
            if not self.inside and not self.taken:
                self._nothing_is_kept()
                return
            self._some_come_out()
        raise AssertionError(f"left inside: {self.inside}, {self.taken}")

    def _some_come_out(self) -> None:
        """A minute later, what can be sent is, and its receivers accept it."""
        self.now += 61.0
        self.takes(100, set())
        for name, found in list(self.started.items()):
            del self.started[name], self.taken[name]
            self.queues.ended(found, self.now, succeeded=True, seconds=0.01)
            self.queues.forget(name)
        self.starts()

    def _nothing_is_kept(self) -> None:
        """Nothing is kept of endpoints with nothing to do, once each has answered."""
        for endpoint in "abcd":
            self.offers(endpoint, 1)
        while self.inside or self.taken:
            self._some_come_out()
        self.now += 61.0
        self.takes(100, set())
        assert self.queues.endpoints == 0


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
