"""How many requests one worker may have open at the source: all together stay under AUTOS_SOURCE_CONCURRENCY. Pure.

Every worker writes a heartbeat and counts the others'. The shares are equal and rounded down. Two moments need care,
because the others cannot know yet:

* a worker that has just come takes only what the others leave free, until each of them has counted it;
* a worker that cannot reach the database counts as dead to the others, so it goes down to one request.
"""

from __future__ import annotations

from typing import Final

from shared.domain.source_state import DEAD_SECONDS

BEAT_SECONDS: Final = 2.0
"""How often a worker writes its heartbeat and counts the others'."""

COUNTED_SECONDS: Final = 2 * BEAT_SECONDS
"""After this every other worker has counted a new one."""

CUT_OFF_SECONDS: Final = DEAD_SECONDS - BEAT_SECONDS
"""Without a heartbeat for so long a worker gives its share back, before the others take it."""


def share(total: int, live: int, *, capacity: int, age: float, silent: float) -> int:
    """How many requests this worker may have open at once; at least 1.

    ``total`` is for all workers, ``live`` how many there are with this one, ``capacity`` how many one worker uses at
    most (the workers of a deployment are set alike), ``age`` how many seconds this one has been counted, ``silent``
    how many seconds ago its last heartbeat was written.
    """
    if silent >= CUT_OFF_SECONDS:
        return 1
    others = max(0, live - 1)
    mine = total // (others + 1)
    if others and age < COUNTED_SECONDS:
        mine = min(mine, total - others * min(total // others, capacity))
    return max(1, min(mine, capacity))
