"""Asks a service once for a whole batch which of the records just read need no handler."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from shared.concurrency.outage import Outage
from shared.errors import InfrastructureAway
from shared.kafka.consumer.due_times import backoff
from shared.kafka.consumer.entry import SKIPPED, Entry, ToWrite
from shared.kafka.consumer.handling import Done
from shared.kafka.metrics import KafkaMetrics

_log = logging.getLogger(__name__)

_BATCH: Final = 1_000

Prepare = Callable[[Sequence[Any]], Awaitable[Sequence[Done | None]]]


class Preparation:
    """Gives batches of entries to the ``prepare`` hook, one batch at a time, and then to ``ready`` in their order.

    While the hook works the next batch gathers, up to 1,000 entries. An outage is waited for; a hook that fails leaves
    its batch to the handler, since it is only a short cut. ``failed`` gets an error that must end the runtime.
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
        """Whether entries wait or are being prepared."""
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
        """End, and drop what waits or is being prepared."""
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
                        entry.work = ToWrite(early, SKIPPED)
                self._ready(batch)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to the runtime, which ends with it
            self._failed(error)
        finally:
            self._task = None

    async def _ask(self, batch: Sequence[Entry]) -> Sequence[Done | None]:
        """Early answers, one an entry. Raises ValueError when the hook answers for more or fewer."""
        waits = 0
        while self._prepare is not None:
            try:
                early = await self._prepare([entry.item for entry in batch])
            except InfrastructureAway as away:
                self._outage.began(away=away.what)
                await asyncio.sleep(backoff(waits, self._first_backoff, away.retry_in))
                waits += 1
            except Exception as error:  # noqa: BLE001 - only a short cut failed
                self._metrics.handler_failures.labels(self._name).inc()
                _log.error(
                    "A batch of records could not be prepared, each is handled by itself",
                    extra={"runtime": self._name, "error": type(error).__name__},
                )
                break
            else:
                if len(early) != len(batch):
                    raise ValueError("prepare answers one outcome, or None, for each item")
                return early
        return [None] * len(batch)
