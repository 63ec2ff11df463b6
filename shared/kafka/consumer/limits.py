"""How much the consumer runtime does at once, and how long it waits: the numbers of one runtime."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RuntimeLimits:
    """The numbers of one runtime. Times are in seconds.

    Memory is bounded by the buffered records of all assigned partitions; ``max_in_flight`` bounds what runs at once.
    The services set what an operator may change (docs/reference/settings.md); the rest are these defaults.
    """

    max_in_flight: int = 32
    """Handlers at once. A few times as many answers may wait for the broker."""
    per_group: int | None = None
    """Handlers of one group at once; None: as many as ``max_in_flight``."""
    max_buffered_per_partition: int = 1_000
    """Records read ahead before a partition is paused."""
    first_backoff_seconds: float = 0.1
    """The first pause before a repeat; it doubles with each."""
    commit_seconds: float = 0.5
    """Between two commits, when there is something to commit."""
    drain_seconds: float = 10.0
    """How long the handlers of a revoked partition may go on before they are cancelled."""
    shutdown_seconds: float = 20.0
    """The same after ``stop``."""
    poll_seconds: float = 0.1
    """How long one poll waits for records."""
    loop_seconds: float = 60.0
    """How long the event loop may be busy before the poll thread leaves the group, so another member takes over."""
    transaction_seconds: float = 30.0
    """How long a transaction with this group's offsets can be open at most: its time-out, and the broker's interval
    between two looks for those that are too old."""

    @property
    def group_places(self) -> int:
        """Handlers of one group at once."""
        return self.per_group or self.max_in_flight
