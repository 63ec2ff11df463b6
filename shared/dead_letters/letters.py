"""Dead letters: what each is about, why it was given up, and the event that asks for its work again.

A dead letter is either the event with its error (its retries are spent, or the failure is permanent), or a poison
record as it came, with ``autos_error`` in its headers. Only the former can be replayed: a document or a job goes back
to the topic of its first request with ``attempt`` 1, a webhook gets a new round of attempts. When that works, the
document is available, and the counters and the status of a job that had ended are corrected; nothing is announced
again. A job that was cancelled, or failed as a whole, stays as it was announced.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.clock import EARLIEST, Clock, plausible_ms, utc_now
from shared.errors import PoisonRecord
from shared.events.document_requested import DocumentDead, DocumentRequested
from shared.events.envelope import Event, encode, header, validate
from shared.events.process_requested import ProcessDead, ProcessRequested
from shared.events.topics import (
    DOCUMENT_DEAD,
    DOCUMENT_REQUESTED,
    PROCESS_DEAD,
    PROCESS_REQUESTED,
    WEBHOOK_DEAD,
    WEBHOOK_SUBSCRIBED,
)
from shared.events.webhook_events import WebhookExhausted
from shared.events.webhook_subscribed import RedeliveryRequested
from shared.kafka.consumer.dead_letter import ERROR, ERROR_DETAIL
from shared.records import OutgoingRecord, Record

DeadEvent = DocumentDead | ProcessDead | WebhookExhausted

DEAD_TOPICS: Final[Mapping[str, type[DeadEvent]]] = {
    DOCUMENT_DEAD: DocumentDead,
    PROCESS_DEAD: ProcessDead,
    WEBHOOK_DEAD: WebhookExhausted,
}
"""By dead topic: the event that it holds beside poison records."""
PROJECTION: Final = "progress.dead_letters"
"""The table of what the projection cannot apply, as a topic of one partition: an id is its row's."""
OPERATOR: Final = "/autos/operator"
"""The CloudEvents ``source`` of what an operator asks for by a command."""

_NAME: Final = re.compile(r"[0-9A-Za-z.-]{1,64}", re.ASCII)
_OF_THE_FAILURE: Final = {"error_code", "error_message", "not_before", "last_error"}


class NotReplayable(Exception):
    """The dead letter is a poison record: what made it must be mended, sending it again would change nothing."""


@dataclass(frozen=True)
class DeadLetter:
    """One record of a dead topic. ``event`` is None for a poison record."""

    record: Record
    at: datetime
    error_code: str
    error_message: str
    event: DeadEvent | None

    @property
    def id(self) -> str:
        """``topic/partition/offset``: what show and replay take."""
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}"

    @property
    def case(self) -> str | None:
        """The case that it is about, where that can be read."""
        return self.event.process_number if self.event is not None else self.named("process_number")

    def named(self, field: str) -> str | None:
        """What the record's value says in a field: a number or an id, or None where that cannot be read."""
        try:
            found = json.loads((self.record.value or b"").decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
        named = found.get(field) if isinstance(found, dict) else None
        return named if isinstance(named, str) and _NAME.fullmatch(named) else None


def dead_letter(record: Record) -> DeadLetter:
    """The dead letter of a record of a dead topic."""
    at = plausible_ms(record.timestamp_ms) or EARLIEST
    poison = header(record.headers, ERROR)
    model = DEAD_TOPICS.get(record.topic)
    if poison is None and model is not None and record.value is not None:
        try:
            event: DeadEvent = validate(model, record.value)
        except PoisonRecord as error:
            return DeadLetter(record, at, error.reason, error.detail, None)
        return DeadLetter(record, at, event.error_code, _message(event), event)
    return DeadLetter(record, at, poison or "unknown", header(record.headers, ERROR_DETAIL) or "", None)


def _message(event: DeadEvent) -> str:
    if not isinstance(event, WebhookExhausted):
        return event.error_message
    # Not its URL: clients put secrets into the query.
    answer = "no answer" if event.status_code is None else f"HTTP {event.status_code}"
    return f"{answer} to attempt {event.attempt}, the last one"


def replayed(
    letter: DeadLetter, *, event_id: str | None = None, source: str = OPERATOR, clock: Clock = utc_now
) -> OutgoingRecord:
    """The record that asks for the dead letter's work again. Raises NotReplayable.

    ``event_id`` is the event's, a new one where none is given; ``source`` is who asks.
    """
    if letter.event is None:
        raise NotReplayable(f"{letter.id} is a poison record ({letter.error_code}); mend its producer instead")
    event, topic = _again(letter.event)
    return encode(
        event,
        topic,
        event_id=event_id or str(uuid.uuid4()),
        source=source,
        time=clock(),
        traceparent=header(letter.record.headers, "traceparent"),
    )


def _again(dead: DeadEvent) -> tuple[Event, str]:
    if isinstance(dead, WebhookExhausted):
        fields = {name: getattr(dead, name) for name in ("delivery_id", "job_id", "process_number", "client_id")}
        return RedeliveryRequested(**fields), WEBHOOK_SUBSCRIBED
    content = {**dead.model_dump(exclude=_OF_THE_FAILURE), "attempt": 1}
    if isinstance(dead, DocumentDead):
        return DocumentRequested.model_validate(content), DOCUMENT_REQUESTED
    return ProcessRequested.model_validate(content), PROCESS_REQUESTED
