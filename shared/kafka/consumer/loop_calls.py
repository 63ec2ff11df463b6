"""Calls from the poll thread to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from shared.errors import ProcessingError

R = TypeVar("R")


class LoopGone(ProcessingError):
    """The event loop is closed, or has not answered for too long: the partitions must go to another member."""


class LoopCalls:
    """Runs things on an event loop from another thread. ``seconds``: how long the loop may take to answer a call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds

    def call(self, function: Callable[..., R], *arguments: Any) -> R:
        """Call a function on the event loop and wait for what it returns or raises. Raises LoopGone."""
        answer: Future[R] = Future()

        def call() -> None:
            try:
                answer.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - raised in the poll thread instead
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError as closed:
            raise LoopGone("the event loop is closed") from closed
        try:
            return answer.result(self._seconds)
        except TimeoutError:
            raise LoopGone("the event loop does not answer") from None

    def start(self, coroutine: Coroutine[Any, Any, R]) -> Future[R]:
        """Start a coroutine on the event loop. Raises LoopGone."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as closed:
            coroutine.close()
            raise LoopGone("the event loop is closed") from closed
