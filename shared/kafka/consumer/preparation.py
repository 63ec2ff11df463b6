"""Asking once for a batch: which of the records just read need no handling. And saying once that something is away."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from shared.errors import InfrastructureAway
from shared.kafka.consumer.handling import backoff
from shared.kafka.consumer.outcome import Outcome
from shared.kafka.consumer.sinks import Entry
from shared.kafka.metrics import KafkaMetrics

_log = logging.getLogger(__name__)

_BATCH: Final = 1_000

Prepare = Callable[[Sequence[Any]], Awaitable[Sequence[Outcome | None]]]


class Outage:
    """Says when records begin to be held, and when they are handled again; not each time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._away = False

    def began(self, away: InfrastructureAway) -> None:
        if not self._away:
            self._away = True
            _log.warning("records are held", extra={"runtime": self._name, "away": away.what})

    def is_over(self) -> None:
        if self._away:
            self._away = False
            _log.info("records are handled again", extra={"runtime": self._name})


class Preparation:
    """Gives batches of entries to the ``prepare`` hook, one batch at a time, and then to ``ready`` in their order.

    While the hook works the next batch gathers. An outage is waited for; a hook that fails leaves its batch to the
    handler. ``failed`` is told what must end the runtime.
    """

    def __init__(
        self,
        name: str,
        prepare: Prepare | None,
        *,
        first_backoff_seconds: float,
        outage: Outage,
        metrics: KafkaMetrics,
        ready: Callable[[Sequence[Entry]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._name = name
        self._prepare = prepare
        self._first_backoff = first_backoff_seconds
        self._outage = outage
        self._metrics = metrics
        self._ready = ready
        self._failed = failed
        self._waiting: deque[Entry] = deque()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether entries are on their way through."""
        return bool(self._waiting) or self._task is not None

    def add(self, entry: Entry) -> None:
        """Take an entry; ``start`` follows."""
        self._waiting.append(entry)

    def start(self) -> None:
        """Begin with what has been added, unless at work already."""
        if self._waiting and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def drop(self, predicate: Callable[[Entry], bool]) -> None:
        """Forget entries that wait."""
        self._waiting = deque(entry for entry in self._waiting if not predicate(entry))

    def stop(self) -> None:
        """End; what is on its way is dropped."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        try:
            while self._waiting:
                count = min(_BATCH, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(count)]
                for entry, early in zip(batch, await self._ask(batch), strict=True):
                    if early is not None:
                        entry.outcome, entry.label = early, "skipped"
                self._ready(batch)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - told to the runtime, which ends with it
            self._failed(error)
        finally:
            self._task = None

    async def _ask(self, batch: Sequence[Entry]) -> Sequence[Outcome | None]:
        """Early outcomes, one an entry. Raises ValueError when the hook answers for more or fewer."""
        waits = 0
        while self._prepare is not None:
            try:
                early = await self._prepare([entry.item for entry in batch])
            except InfrastructureAway as away:
                self._outage.began(away)
                await asyncio.sleep(backoff(waits, self._first_backoff, away.retry_in))
                waits += 1
            except Exception as error:  # noqa: BLE001 - only a short cut failed
                self._metrics.handler_failures.labels(self._name).inc()
                _log.error("prepare failed", extra={"runtime": self._name, "error": type(error).__name__})
                break
            else:
                if len(early) != len(batch):
                    raise ValueError("prepare answers one outcome, or None, for each item")
                return early
        return [None] * len(batch)
