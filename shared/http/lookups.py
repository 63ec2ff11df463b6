"""Names to addresses by the system's resolver, so that a name whose servers hang delays no other name.

``getaddrinfo`` blocks a thread, for half a minute or more where a name's servers do not answer, and cannot be stopped.
So each name that is being looked up has one thread, however many ask for it, and nobody waits for a thread of a pool
that other names fill. The threads are daemons: one that hangs does not keep the process from its end.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

MAX_LOOKUPS: Final = 512
"""Names that are looked up at once; as many as deliveries are in flight. One more waits, within its time-out."""


def system_look_up(host: str) -> list[str]:
    """The addresses that the system has for a name, as texts. Blocks. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError as error:
        raise OSError("the name cannot be encoded") from error
    return [str(entry[4][0]) for entry in found]


class Lookups:
    """A :data:`shared.http.guard.Resolver`. For one event loop; answers are not kept.

    At most ``most`` names are looked up at once. There is no time-out here: who asks has one.
    """

    def __init__(self, look_up: Callable[[str], Sequence[str]] = system_look_up, *, most: int = MAX_LOOKUPS) -> None:
        self._look_up = look_up
        self._slots = asyncio.Semaphore(most)
        self._under_way: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host. Raises OSError. Who gives up leaves the look-up to the others."""
        under_way = self._under_way.get(host)
        if under_way is None:
            await self._slots.acquire()
            # Somebody else may have begun it meanwhile.
            under_way = self._under_way.get(host)
            if under_way is None:
                under_way = self._begin(host)
            else:
                self._slots.release()
        return await asyncio.shield(under_way)

    def _begin(self, host: str) -> asyncio.Future[Sequence[str]]:
        loop = asyncio.get_running_loop()
        future = self._under_way[host] = loop.create_future()
        # When all who asked have given up, nobody is left to hear of its error.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

        def end(addresses: Sequence[str], error: OSError | None) -> None:
            del self._under_way[host]
            self._slots.release()
            if error is None:
                future.set_result(addresses)
            else:
                future.set_exception(error)

        def work() -> None:
            addresses: Sequence[str] = ()
            failure: OSError | None = None
            try:
                addresses = self._look_up(host)
            except OSError as error:
                failure = error
            # The edge of a thread: whoever waits has to hear of it.
            except Exception as error:  # noqa: BLE001
                failure = OSError(f"the look-up failed: {type(error).__name__}")
            # The loop has ended: nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(end, addresses, failure)

        try:
            threading.Thread(target=work, name="resolver", daemon=True).start()
        except RuntimeError as error:
            end((), OSError(str(error)))
        return future
