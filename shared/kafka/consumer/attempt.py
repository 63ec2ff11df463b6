"""One try of one entry: prepare it when that is left, call the handler, write the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from prometheus_client import Histogram

from shared.kafka.consumer.dead_letter_policy import DeadLetterPolicy
from shared.kafka.consumer.entry import SKIPPED, TO_HANDLE, Dead, Entry, ToPrepare, ToWrite
from shared.kafka.consumer.handling import Done, Handling
from shared.kafka.consumer.sink import Sink
from shared.tracing.records import process_span

T = TypeVar("T")


class Attempts(Generic[T]):
    """Does what is still to do for an entry.

    ``on_answered`` is called when only the broker's acknowledgement is missing; it answers whether nothing else of the
    entry's group is at hand, so that its answer need not wait for others.
    """

    def __init__(
        self,
        handling: Handling[T],
        sink: Sink,
        dead_letters: DeadLetterPolicy[T],
        seconds: Histogram,
        on_answered: Callable[[Entry], bool],
    ) -> None:
        self._handling = handling
        self._sink = sink
        self._dead_letters = dead_letters
        self._seconds = seconds
        self._on_answered = on_answered

    async def make(self, entry: Entry) -> str:
        """Go one try further with an entry, and return the label that it is counted by once it is written.

        What is done by then is kept in ``entry.work``: after a failure another try goes on from there, and a handler
        that has answered is not called again unless its answer can be read only once. Raises what the hooks, the
        handler and the sink raise.
        """
        if isinstance(entry.work, ToPrepare):
            await self._prepare(entry)
        if isinstance(entry.work, Dead):
            done, label = entry.work.done, entry.work.label
            if done is None:
                done = await self._dead_letters.answer(entry, entry.work)
                entry.work = replace(entry.work, done=done)
        else:
            if not isinstance(entry.work, ToWrite):
                with self._seconds.time(), process_span(entry.record):
                    entry.work = ToWrite(await self._handling.handler(entry.item))
            done, label = entry.work.done, entry.work.label
        # An answer that the handler may have to make again keeps the handler's places.
        last_of_group = not done.read_once and self._on_answered(entry)
        await self._sink.deliver(entry, done, at_once=done.urgent or last_of_group)
        return label

    async def _prepare(self, entry: Entry) -> None:
        """Ask ``prepare`` for an entry that waited for its due time."""
        early: Done | None = None
        if self._handling.prepare is not None:
            (early,) = await self._handling.prepare([entry.item])
        entry.work = TO_HANDLE if early is None else ToWrite(early, SKIPPED)
