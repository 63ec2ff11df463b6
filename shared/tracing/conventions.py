"""The names of spans and their attributes: OpenTelemetry's semantic conventions for HTTP and messaging, and ours.

"Semantic conventions for messaging spans" and "for Kafka", version 1.41: a span is called "{operation} {destination}".
Nothing personal: no case number, no key of a record (it may be one), no address of a receiver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.util.types import AttributeValue

HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
ERROR_TYPE: Final = "error.type"

JOB_ID: Final = "autos.job_id"
DOCUMENT_ID: Final = "autos.document_id"
DELIVERY_ID: Final = "autos.delivery_id"
ATTEMPT: Final = "autos.attempt"
CLIENT_ID: Final = "autos.client_id"

WEBHOOK_SPAN: Final = "POST webhook"
"""One attempt of a delivery."""


def process_span(topic: str) -> str:
    """The span in which one record, or a batch of them, is handled."""
    return f"process {topic}"


def publish_span(schema: str) -> str:
    """The span in which a batch of outbox rows is published."""
    return f"send {schema}.outbox"


def of_record(topic: str, partition: int, offset: int) -> Mapping[str, AttributeValue]:
    """The attributes of a record that is handled."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.offset": offset,
    }


def of_batch(operation: str, destination: str, count: int) -> Mapping[str, AttributeValue]:
    """The attributes of a batch that is handled or sent; ``operation`` is ``process`` or ``send``."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": destination,
        "messaging.batch.message_count": count,
    }
