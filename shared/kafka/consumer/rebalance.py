"""Rebalances: begins assigned partitions at what is committed for them, and ends revoked and lost ones.

In the poll thread, from the client's callbacks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from shared.kafka.consumer.assigned_partitions import Key, Position
from shared.kafka.consumer.client import FORBIDDEN, ConsumerClient, ConsumerFailed, to_commit
from shared.kafka.consumer.inbox import Inbox
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.loop_calls import LoopCalls

_log = logging.getLogger(__name__)

_COMMITTED_SECONDS: Final = 2.0
_COMMIT_SECONDS: Final = 2.0
"""For how long the commit of a revoked partition is repeated when it is refused: nobody else can make it, and without
it what was finished is handled again. A broker that has just raised the member's epoch refuses the old one once.
"""


class Rebalance:
    """The callbacks that the consumer subscribes with.

    ``report_poll`` reports an empty poll to the inbox: a transaction that is being finished needs the group's
    generation meanwhile. ``commit_refused`` gets the partitions and the error's name. ``alive`` is called in each
    round of a wait, so that a thread that waits does not look like one that is stuck.

    ``forget`` is called with partitions that have ended, before they can be assigned again: what was read or ordered
    for them is of the assignment that is over. One poll can take partitions away and give them back, which an eager
    strategy does at each rebalance; a commit ordered before would then set the group back.
    """

    def __init__(
        self,
        name: str,
        loop: LoopCalls,
        inbox: Inbox,
        limits: RuntimeLimits,
        *,
        stopping: threading.Event,
        report_poll: Callable[[ConsumerClient], None],
        commit_refused: Callable[[Sequence[Key], str], None],
        alive: Callable[[], None],
        forget: Callable[[ConsumerClient, Collection[Key]], None],
    ) -> None:
        self._name = name
        self._loop = loop
        self._inbox = inbox
        self._poll_seconds = limits.poll_seconds
        self._transaction_seconds = limits.transaction_seconds
        self._stopping = stopping
        self._report_poll = report_poll
        self._commit_refused = commit_refused
        self._alive = alive
        self._forget = forget
        self.assigned: Final[set[Key]] = set()
        """The partitions of this member now."""
        self.closing = False
        """The consumer is being closed: the runtime has finished and committed already."""

    def on_assign(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> None:
        """Begin new partitions, each at exactly the offset whose metadata was restored."""
        starts = self._committed(consumer, partitions) if partitions else []
        self.assigned.update(start.key for start in starts)
        if starts:
            self._loop.call(self._inbox.assigned, starts)
        fresh = [
            TopicPartition(start.topic, start.partition, start.offset if start.offset >= 0 else OFFSET_BEGINNING)
            for start in starts
        ]
        consumer.incremental_assign(fresh)
        if fresh:
            # In librdkafka a pause survives the loss of its partition.
            consumer.resume(fresh)

    def on_revoke(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> None:
        """Wait for the handlers of these partitions and commit, before they go to another member."""
        positions = self._end(consumer, partitions, lost=False)
        deadline = time.monotonic() + _COMMIT_SECONDS
        while positions:
            refused, error = _commit(consumer, positions)
            if not refused:
                return
            self._commit_refused(refused, error)
            if time.monotonic() > deadline:
                return
            positions = [position for position in positions if position.key in refused]
            self._alive()
            time.sleep(self._poll_seconds)

    def on_lost(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> None:
        """Another member may have these partitions already: cancel their handlers and commit nothing."""
        self._end(consumer, partitions, lost=True)

    def _end(self, consumer: ConsumerClient, partitions: list[TopicPartition], *, lost: bool) -> Sequence[Position]:
        keys = [(partition.topic, partition.partition) for partition in partitions]
        self.assigned.difference_update(keys)
        if self.closing:
            return ()
        positions = self._drained(consumer, self._loop.start(self._inbox.ending(keys, lost=lost)))
        # Only now: until the runtime has ended them it may order more for them.
        self._forget(consumer, keys)
        return positions

    def _drained(self, consumer: ConsumerClient, drained: Future[Sequence[Position]]) -> Sequence[Position]:
        while True:
            try:
                return drained.result(timeout=self._poll_seconds)
            except TimeoutError:
                if drained.done():
                    raise
                self._alive()
                self._report_poll(consumer)

    def _committed(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> list[Position]:
        """What the group has committed, asked until there is an answer: without it finished records would repeat.

        The broker makes the question wait while a transaction with these offsets is open. None stays open for longer
        than ``transaction_seconds``, but a broker that was killed can forget to tell its group coordinator that one has
        ended, and then the question waits for ever: what was decided before is the truth in that case.

        Raises ConsumerFailed for a fatal error, or when the group is not ours to read.
        """
        patience = time.monotonic() + self._transaction_seconds
        logged = False
        while not self._stopping.is_set():
            self._alive()
            problem = "none"
            try:
                if time.monotonic() < patience:
                    found = consumer.committed(partitions, timeout=_COMMITTED_SECONDS)
                else:
                    found = consumer.decided(partitions, timeout=_COMMITTED_SECONDS)
                    _log.warning(
                        "A transaction that the broker left open is skipped; reading goes on behind it",
                        extra={"runtime": self._name},
                    )
            except KafkaException as error:
                problem = error.args[0].name()
                if error.args[0].fatal() or error.args[0].code() in FORBIDDEN:
                    raise ConsumerFailed(problem) from error
            else:
                if all(partition.error is None for partition in found):
                    return [Position(p.topic, p.partition, p.offset, p.metadata or "") for p in found]
            if not logged:
                logged = True
                _log.info(
                    "The broker does not give the committed offsets yet, they are asked for again",
                    extra={"runtime": self._name, "error": problem},
                )
        return []


def _commit(consumer: ConsumerClient, positions: Sequence[Position]) -> tuple[Sequence[Key], str]:
    """Commit and wait; the partitions that were refused, and the name of the last error."""
    try:
        answered = consumer.commit(offsets=[to_commit(position) for position in positions], asynchronous=False)
    except KafkaException as error:
        return [position.key for position in positions], error.args[0].name()
    failed = [partition for partition in answered if partition.error is not None]
    return [(one.topic, one.partition) for one in failed], failed[-1].error.name() if failed else ""
