"""What a service brings to the runtime, and how long a repeat waits."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from shared.kafka.consumer.outcome import Outcome
from shared.kafka.records import OutgoingRecord, Record

T = TypeVar("T")

_BACKOFF_LAST_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Handling(Generic[T]):
    """What a service brings: how its records are read, ordered, handled and given up."""

    decode: Callable[[Record], T]
    handler: Callable[[T], Awaitable[Outcome]]
    dead: Callable[[Record, Exception], OutgoingRecord]
    group_of: Callable[[T], str]
    not_before: Callable[[T], float | None]
    prepare: Callable[[Sequence[T]], Awaitable[Sequence[Outcome | None]]] | None = None
    ends: Callable[[Record, Exception], Awaitable[Sequence[OutgoingRecord]]] | None = None
    longest_wait: Mapping[str, float] = field(default_factory=dict)
    idle: Callable[[T], bool] | None = None


def backoff(times: int, first: float, hint: float | None = None) -> float:
    """Seconds to wait: the hint and up to a tenth more, else ``first`` doubling to 5 s, less up to a half."""
    if hint is not None:
        return max(0.0, hint) * random.uniform(1.0, 1.1)  # noqa: S311 - spreads load, guards nothing
    longest = min(_BACKOFF_LAST_SECONDS, first * 2.0 ** min(times, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def every_item_alike(_item: Any) -> str:
    """The group of a runtime that has no groups."""
    return ""


def always_due(_item: Any) -> float | None:
    """The due time of a record that has none."""
    return None
