"""Commits that are not waited for, and their answers. In the poll thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from shared.kafka.consumer.assigned_partitions import Key, Position
from shared.kafka.consumer.client import ConsumerClient, to_commit


class AsyncCommits:
    """Commits that are not waited for. Used in the poll thread alone.

    ``assigned`` are the partitions of this member now. ``answered`` gets the refused partitions and the error's name,
    or an empty list and None. A refused commit is not repeated here: the runtime takes the positions again.
    """

    def __init__(self, assigned: Collection[Key], answered: Callable[[Sequence[Key], str | None], None]) -> None:
        self._assigned = assigned
        self._answered = answered
        self.unanswered = 0

    def commit(self, consumer: ConsumerClient, positions: Sequence[Position]) -> None:
        """Commit without waiting."""
        # A partition that is gone was committed when it went, and may be further by now.
        offsets = [to_commit(position) for position in positions if position.key in self._assigned]
        if not offsets:
            self._answered([], None)
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._answered([position.key for position in positions], error.args[0].name())
        else:
            self.unanswered += 1

    def on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """The client's callback: the broker has answered a commit."""
        self.unanswered = max(0, self.unanswered - 1)
        refused = [partition for partition in partitions if partition.error is not None]
        if error is not None:
            self._answered([(partition.topic, partition.partition) for partition in partitions], error.name())
        elif refused and refused[0].error is not None:
            name = refused[0].error.name()
            self._answered([(partition.topic, partition.partition) for partition in refused], name)
        else:
            self._answered([], None)
