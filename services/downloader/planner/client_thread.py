"""A thread for a client whose calls block: one at a time, in order, and none is waited for without end."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

R = TypeVar("R")

_Call = tuple[Future[Any], Callable[[], Any]]


class ClientThread:
    """Calls functions in a thread of its own.

    It is a daemon and no executor's, since the interpreter waits for an executor's threads when it ends: a process
    with a call that never returns could not end, and no other could begin in its place.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(self._calls,), name=name, daemon=True).start()

    async def call(self, function: Callable[..., R], *arguments: Any, within: float | None = None) -> R:
        """What the function returns or raises; TimeoutError when it takes more than ``within`` seconds.

        It is not stopped then, and whatever is called later waits behind it.
        """
        called: Future[R] = Future()
        self._calls.put((called, partial(function, *arguments)))
        async with asyncio.timeout(within):
            return await asyncio.wrap_future(called)

    def close(self) -> None:
        """End after the calls that are made; does not wait."""
        self._calls.put(None)


def _serve(calls: queue.SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        future, function = call
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - the caller raises it
                future.set_exception(error)
        # Nothing of it is kept while the next is waited for.
        del call, future, function
