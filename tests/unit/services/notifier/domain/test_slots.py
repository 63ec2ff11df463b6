"""Slots: what is taken comes back, limits hold by endpoint, origin, client and in all."""

from __future__ import annotations

import pytest

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.slots import EndpointSlots, SlotLimits, Slots

LIMITS = SlotLimits(in_all=12, by_client=8, by_origin=6, by_endpoint=2, ahead=4)


def due(endpoint: str = "e", origin: str = "o", client: str = "c") -> DueDelivery:
    return DueDelivery("d", endpoint, origin, client)


def test_an_endpoint_has_its_own_slots_and_a_quick_one_some_ahead() -> None:
    slots, endpoint = Slots(LIMITS), EndpointSlots()
    taken = 0
    for quick, most in ((False, 2), (True, 6)):
        endpoint.answered(succeeded=True, seconds=0.01 if quick else 1.0)
        while slots.endpoint_has_room(endpoint, due(), probing=False) and taken < 20:
            slots.take(endpoint, due(origin=str(taken), client=str(taken)))
            taken += 1
        assert taken == most
        endpoint.refilling = True


def test_an_endpoint_that_is_probed_has_one_slot() -> None:
    slots, endpoint = Slots(LIMITS), EndpointSlots()
    assert slots.endpoint_has_room(endpoint, due(), probing=True)
    slots.take(endpoint, due())
    assert not slots.endpoint_has_room(endpoint, due(), probing=True)


@pytest.mark.parametrize("shared", ["origin", "client"])
def test_an_endpoint_waiting_for_its_origin_or_client_is_named_at_a_free_slot(shared: str) -> None:
    slots = Slots(LIMITS)
    most = LIMITS.by_origin if shared == "origin" else LIMITS.by_client
    others = [due(name, **{"origin": name, "client": name, shared: shared[0]}) for name in map(str, range(most))]
    endpoint = EndpointSlots()
    for other in others:
        assert not slots.must_wait(other)
        slots.take(endpoint, other)
    assert slots.must_wait(due("late"))
    assert slots.release(endpoint, others[0]) == ["late"]
    assert not slots.must_wait(due("late"))
    assert slots.release(endpoint, others[1]) == []


def test_all_slots_are_counted() -> None:
    slots, endpoint = Slots(LIMITS), EndpointSlots()
    for number in range(LIMITS.in_all):
        assert not slots.all_taken
        slots.take(endpoint, due(origin=str(number), client=str(number)))
    assert slots.all_taken and slots.taken == LIMITS.in_all
    slots.release(endpoint, due(origin="0", client="0"))
    assert not slots.all_taken
