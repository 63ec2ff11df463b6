"""Waits for changes: one listening connection a process and channel wakes all who wait for one of its keys."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from shared.db.channels import Listener


class Watch:
    """One waiter for one key."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.event = asyncio.Event()
        self.asleep = False
        """Whether it waits at this moment; False while its owner looks at what has changed."""

    async def wait(self, timeout: float) -> bool:
        """True after a change, False when ``timeout`` seconds passed or the service is ending."""
        if self._changes.closed:
            return False
        self.asleep = True
        try:
            async with asyncio.timeout(timeout):
                await self.event.wait()
        except TimeoutError:
            return False
        finally:
            self.asleep = False
        self.event.clear()
        return not self._changes.closed


class Changes:
    """Hands the notifications of a channel to the waiters of this process, by their payload: the key.

    One thread listens; everything else is for the event loop of the waiters. After a lost connection everybody is
    woken, since something may have been missed.
    """

    def __init__(self, url: str, channel: str) -> None:
        self._listener = Listener(url, channel, self._on_notify)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watches: dict[str, set[Watch]] = defaultdict(set)
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
    def watch(self, key: str) -> Iterator[Watch]:
        """A waiter that misses no change from here on: read the state after entering, then wait."""
        watch = Watch(self)
        if key not in self._watches:
            self._mark(key)
        self._watches[key].add(watch)
        try:
            yield watch
        finally:
            waiting = self._watches[key]
            waiting.discard(watch)
            if not waiting:
                del self._watches[key]
                del self._numbers[key]

    def wake(self, key: str | None) -> None:
        """Wake the waiters for a key, or all when something may have been missed."""
        for one in list(self._watches) if key is None else [key]:
            if one in self._watches:
                self._mark(one)
                for watch in self._watches[one]:
                    watch.event.set()

    def waiting(self, key: str | None = None) -> int:
        """How many wait for a change of the key at this moment; None: of any key."""
        watched = self._watches.values() if key is None else (self._watches.get(key, ()),)
        return sum(watch.asleep for watches in watched for watch in watches)

    def number_of(self, key: str) -> int:
        """The number of the last change of a key that is being watched: another one after each change."""
        return self._numbers[key]

    def _mark(self, key: str) -> None:
        self._count += 1
        self._numbers[key] = self._count

    def _on_notify(self, payload: str | None) -> None:
        if self._loop is not None:
            # The loop may close between a check and the call: then nobody waits any more.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.wake, payload)
