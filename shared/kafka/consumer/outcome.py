"""What a handler answers: done, with the records that follow from it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from shared.kafka.records import OutgoingRecord

Emit = Iterable[OutgoingRecord] | AsyncIterable[OutgoingRecord]
"""Records to be written. A generator (also an asynchronous one) of any length is read in pieces."""


@dataclass(frozen=True, slots=True)
class Done:
    """The record is handled once everything in ``emit`` is acknowledged by the broker.

    A retry and a dead letter are an ``emit`` to another topic. A plain generator may be read in another thread.
    """

    emit: Emit = ()
    urgent: bool = False
    """Whether somebody waits for it: it is written at once, where others wait to be written together."""


Outcome = Done


def read_once(emit: Emit) -> bool:
    """Whether this can be read only once: after a failure the handler must make it anew."""
    return isinstance(emit, Iterator | AsyncIterator)
