"""What a service brings to the consumer runtime: how its records are decoded, ordered, handled and given up."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from shared.records import OutgoingRecord, Record

T = TypeVar("T")

Emit = Iterable[OutgoingRecord] | AsyncIterable[OutgoingRecord]
"""Records to write. A generator (also an asynchronous one) of any length is read in pieces."""


@dataclass(frozen=True, slots=True)
class Done:
    """A handler's answer: the record is finished once the broker has acknowledged everything in ``emit``.

    A retry and a dead letter are an ``emit`` to another topic. A plain generator may be read in another thread.
    """

    emit: Emit = ()
    urgent: bool = False
    """Whether a client waits for it: it is written at once, where others wait to be written together."""

    @property
    def read_once(self) -> bool:
        """Whether ``emit`` can be read only once: after a failure the handler must make it again."""
        return isinstance(self.emit, Iterator | AsyncIterator)


def every_item_alike(_item: Any) -> str:
    """The group of a runtime without groups."""
    return ""


def always_due(_item: Any) -> float | None:
    """The due time of records that have none."""
    return None


@dataclass(frozen=True, kw_only=True)
class Handling(Generic[T]):
    """The service's side of the contract with the runtime.

    The runtime decodes a record into an item, queues it in its group, waits for its due time, asks ``prepare``, calls
    ``handler`` and writes what it answers. All of these run on the event loop. A handler must be safe to repeat: after
    a crash, a rebalance or a failed write the record comes again.

    What a handler, or ``on_given_up``, may raise:

    - InfrastructureAway: the record is held and tried again for as long as it takes; no try is counted.
    - PoisonRecord: the record goes to the dead topic at once.
    - anything else: tried three times more (dead_letter_policy.REPEATS), then the record goes to the dead topic.
    """

    decode: Callable[[Record], T]
    """Makes the item. Whatever it raises sends the record to the dead topic."""
    handler: Callable[[T], Awaitable[Done]]
    """Does the work for one item."""
    dead_letter: Callable[[Record, Exception], OutgoingRecord]
    """Makes the dead letter of a record that is given up (dead_letter.to_topic)."""
    on_given_up: Callable[[Record, Exception], Awaitable[Sequence[OutgoingRecord]]] | None = None
    """Makes the records to write beside a dead letter, so that nothing waits for the record for ever. It gets the
    record as it was read and may raise InfrastructureAway."""
    group_of: Callable[[T], str] = every_item_alike
    """Names the group of an item. Groups take turns, and one group has at most ``per_group`` handlers."""
    not_before: Callable[[T], float | None] = always_due
    """Seconds since the epoch before which the handler is not called; None: at once."""
    longest_wait: Mapping[str, float] = field(default_factory=dict)
    """By topic: how many seconds a record can have to wait for its due time. One that asks for more is handled at
    once (due_times.py)."""
    prepare: Callable[[Sequence[T]], Awaitable[Sequence[Done | None]]] | None = None
    """Sees the items of a batch just decoded and may answer for some; the handler is not called for those."""
    cancel_at_once: Callable[[T], bool] | None = None
    """Whether the running handler of an item has begun nothing yet: it is cancelled at once, and not waited for,
    when its partition is revoked."""
