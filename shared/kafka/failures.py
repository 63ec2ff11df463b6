"""What a librdkafka error of writing means: the record, the topic, the broker or the producer itself is the matter."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

from shared.errors import InfrastructureAway, ProcessingError

# What the broker or the client says of the record itself: sending it again gives the same answer. A topic that is
# missing or forbidden is not among them: an operator can mend that, and until then the record is held.
_REFUSED: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.TOPIC_EXCEPTION,  # a name that no topic can have
        KafkaError._INVALID_ARG,
    }
)
_TOPIC_AWAY: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)


class RecordRefused(ProcessingError):
    """The broker will never take this record (too large, malformed, against its policy)."""


class TopicAway(InfrastructureAway):
    """The topic is missing, or we may not write to it: an operator can mend that, and other topics are as before."""


class ProducerFailed(ProcessingError):
    """The producer is unusable (fenced, or its sequence is broken): the process must start again."""


def failure_of(error: KafkaError) -> ProcessingError:
    """A librdkafka error as ours: ProducerFailed, RecordRefused, TopicAway or InfrastructureAway."""
    if error.fatal():
        return ProducerFailed(error.name())
    if error.code() in _REFUSED:
        return RecordRefused(error.name())
    if error.code() in _TOPIC_AWAY:
        return TopicAway(f"kafka: {error.name()}")
    return InfrastructureAway(f"kafka: {error.name()}")
