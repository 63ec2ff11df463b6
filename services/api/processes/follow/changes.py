"""Waits for changes of cases: one listening connection a process wakes all who wait for a case."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, bindparam, func, select

from shared.db.channels import PROGRESS, Listener

_NOTIFY = select(func.pg_notify(PROGRESS, bindparam("number")))


class CaseWatch:
    """One waiter of one case."""

    def __init__(self, changes: CaseChanges) -> None:
        self._changes = changes
        self.event = asyncio.Event()

    async def wait(self, timeout: float) -> bool:
        """True after a change, False when ``timeout`` seconds passed or the service is ending."""
        if self._changes.closed:
            return False
        try:
            async with asyncio.timeout(timeout):
                await self.event.wait()
        except TimeoutError:
            return False
        self.event.clear()
        return not self._changes.closed


class CaseChanges:
    """Hands the notifications of a channel to the waiters of this process: those of ``autos_progress``, by case.

    One thread listens; everything else is for the event loop of the waiters. After a lost connection everybody is
    woken, since something may have been missed.
    """

    def __init__(self, url: str, channel: str = PROGRESS) -> None:
        self._listener = Listener(url, channel, self._on_notify)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watches: dict[str, set[CaseWatch]] = defaultdict(set)
        self._count = 0
        self._numbers: dict[str, int] = {}
        self.closed = False

    def start(self) -> None:
        """Listen from now on; call it in the event loop of the waiters."""
        self._loop = asyncio.get_running_loop()
        self._listener.start()

    def close(self) -> None:
        """Wake every waiter for good: the service is ending. Call it in the event loop."""
        self.closed = True
        self.wake(None)

    def stop(self) -> None:
        """End the listening thread; blocks for up to a second or so."""
        self._listener.stop()

    @contextmanager
    def watch(self, process_number: str) -> Iterator[CaseWatch]:
        """A waiter that misses no change from here on: read the state after entering, then wait."""
        watch = CaseWatch(self)
        if process_number not in self._watches:
            self._mark(process_number)
        self._watches[process_number].add(watch)
        try:
            yield watch
        finally:
            waiting = self._watches[process_number]
            waiting.discard(watch)
            if not waiting:
                del self._watches[process_number]
                del self._numbers[process_number]

    def wake(self, process_number: str | None) -> None:
        """Wake the waiters of a case, or all when something may have been missed."""
        for number in list(self._watches) if process_number is None else [process_number]:
            if number in self._watches:
                self._mark(number)
                for watch in self._watches[number]:
                    watch.event.set()

    def waiting(self, process_number: str | None = None) -> int:
        """How many wait for a change of the case; None: of any case."""
        if process_number is None:
            return sum(len(watches) for watches in self._watches.values())
        return len(self._watches.get(process_number, ()))

    def number_of(self, process_number: str) -> int:
        """The number of the last change of a case that is being watched: another one after each change."""
        return self._numbers[process_number]

    def _mark(self, process_number: str) -> None:
        self._count += 1
        self._numbers[process_number] = self._count

    def _on_notify(self, payload: str | None) -> None:
        if self._loop is not None:
            # The loop may close between a check and the call: then nobody waits any more.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.wake, payload)


def announce(connection: Connection, process_number: str) -> None:
    """Wake the waiters of a case in every replica when the caller's transaction commits."""
    connection.execute(_NOTIFY, {"number": str(process_number)})
