"""CloudEvents 1.0 in Kafka's binary mode: an event model to a record, and back.

The attributes travel as ``ce_*`` headers (CloudEvents Kafka protocol binding 1.0.2, section 3.2), the value is
the JSON of the model. ``traceparent`` (W3C Trace Context) rides along unchanged.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, ClassVar, Final, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from shared.clock import plausible, rfc3339
from shared.domain.cnj import InvalidProcessNumber, parse
from shared.domain.derived_ids import uuid5_text
from shared.errors import PoisonRecord
from shared.records import OutgoingRecord, Record
from shared.tracing.spans import traceparent_now

NAMESPACE: Final = uuid.UUID("6f1c9a0e-6d0b-5a53-9a55-2f4a5f0f7a11")
"""The uuid5 namespace of deterministic event, subscription and delivery ids."""

MAX_COUNT: Final = 10_000_000
_SPEC_VERSION: Final = b"1.0"
_CONTENT_TYPE: Final = b"application/json"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


# A case's number comes again in each of its events; checking it once is most of what decoding costs.
@lru_cache(maxsize=4096)
def _masked(value: str) -> str:
    try:
        return parse(value)
    except InvalidProcessNumber as refused:
        raise ValueError(refused.detail) from refused


def _uuid(value: str) -> str:
    return value if _CANONICAL_UUID.fullmatch(value) else str(uuid.UUID(value))


def _utc(at: datetime) -> datetime:
    # Not astimezone alone: near the ends of the calendar it raises what no validation expects.
    moment = plausible(at)
    if moment is None:
        raise ValueError("a time that nobody can mean")
    return moment


def _window(number: int) -> int:
    if not 0 <= number <= 1_000_000:
        raise ValueError("no window has this number")
    return number


def _count(number: int) -> int:
    if not 0 <= number <= MAX_COUNT:
        raise ValueError("no job has so many documents")
    return number


def _cut(most: int) -> Callable[[str], str]:
    def cut(text: str) -> str:
        # PostgreSQL's text has no NUL.
        return text[:most].replace("\x00", "\ufffd")

    return cut


MaskedNumber = Annotated[
    str,
    AfterValidator(_masked),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$", "title": "CNJ number, masked"}
    ),
]
Uuid = Annotated[str, AfterValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_utc),
    PlainSerializer(rfc3339, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


Word = Annotated[str, AfterValidator(_cut(200))]
"""A code, a name or a type: what is longer is cut, since no event may grow with what others have written."""
Line = Annotated[str, AfterValidator(_cut(2_048))]
"""A sentence, a path: cut likewise."""
Window = Annotated[int, AfterValidator(_window)]
"""The number of a window of a plan, from 0."""
Count = Annotated[int, AfterValidator(_count)]
"""How many documents: from 0, and within what the database's integers hold."""
Attempt = Annotated[int, AfterValidator(lambda number: min(max(number, 1), 1_000_000))]
"""The number of an attempt, from 1."""
Revision = Attempt
"""The number of a listing of a document, from 1."""


class Event(BaseModel):
    """The base of every event. A subclass is one ``ce_type``; unknown fields are ignored (forward compatible)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str] = ""
    """``ce_type``, for example ``autos.process.requested``."""
    SCHEMA_VERSION: ClassVar[int] = 1
    """The major version of the schema: a subclass raises it with a change that readers of before cannot take."""

    def key(self) -> str:
        """The record's key: what the topic is ordered by."""
        raise TypeError(f"{type(self).__name__} names no key")

    def subject(self) -> str:
        """``ce_subject``: what the event is about; the key unless a subclass says otherwise."""
        return self.key()


E = TypeVar("E", bound=Event)


def deterministic_id(*parts: object) -> str:
    """A uuid5 that a repeat of the same step makes again, so that receivers can drop duplicates."""
    return uuid5_text(NAMESPACE, "/".join(map(str, parts)))


def payload(event: Event) -> bytes:
    """The JSON value of an event."""
    return event.model_dump_json().encode()


@lru_cache(maxsize=64)
def dataschema(model: type[Event]) -> str:
    """``ce_dataschema``: the ``$id`` of the event's schema, an absolute URI (CloudEvents 1.0, "dataschema").

    The number at its end is the schema's major version: within one the schema only grows.
    """
    return f"urn:autos:events:{model.__name__}:{model.SCHEMA_VERSION}"


@lru_cache(maxsize=128)
def _headers_of_type(model: type[Event], source: str) -> Mapping[str, bytes]:
    """Those that are the same in each event of a type and a service."""
    return {
        "ce_type": model.TYPE.encode(),
        "ce_source": source.encode(),
        "ce_specversion": _SPEC_VERSION,
        "ce_dataschema": dataschema(model).encode(),
    }


def headers(
    event: Event, *, event_id: str, source: str, time: datetime, traceparent: str | None = None
) -> dict[str, bytes]:
    """The CloudEvents headers of an event."""
    made = {
        "ce_id": event_id.encode(),
        **_headers_of_type(type(event), source),
        "ce_time": rfc3339(time).encode(),
        "ce_subject": event.subject().encode(),
        "content-type": _CONTENT_TYPE,
    }
    # Where the cause is being handled in a span of the same trace, what follows is from that span.
    if followed := traceparent_now(traceparent):
        made["traceparent"] = followed.encode()
    return made


def encode(
    event: Event, topic: str, *, event_id: str, source: str, time: datetime, traceparent: str | None = None
) -> OutgoingRecord:
    """An event as a record for ``topic``. ``source`` is ``/autos/<service>``."""
    return OutgoingRecord(
        topic=topic,
        key=event.key().encode(),
        value=payload(event),
        headers=headers(event, event_id=event_id, source=source, time=time, traceparent=traceparent),
    )


def header(found: Mapping[str, bytes], name: str) -> str | None:
    """One header as text, or None."""
    value = found.get(name)
    return value.decode("utf-8", "replace") if value is not None else None


def traceparent(record: Record) -> str | None:
    """The trace that a record belongs to; what is no trace context is not passed on, whatever its size."""
    found = header(record.headers, "traceparent")
    return found if found is not None and _TRACEPARENT.fullmatch(found) else None


def decode(record: Record, types: Mapping[str, type[E]]) -> E:
    """The event of a record, by its ``ce_type``.

    Raises PoisonRecord with reason ``unreadable_headers``, ``no_value``, ``no_type``, ``unknown_type``, ``not_json`` or
    ``wrong_schema``.
    """
    if record.unreadable is not None:
        raise PoisonRecord(record.unreadable)
    if record.value is None:
        raise PoisonRecord("no_value")
    name = header(record.headers, "ce_type")
    if name is None:
        raise PoisonRecord("no_type", "the ce_type header is missing")
    model = types.get(name)
    if model is None:
        raise PoisonRecord("unknown_type", name[:100])
    return validate(model, record.value)


def validate(model: type[E], value: bytes) -> E:
    """``value`` as ``model``. Raises PoisonRecord ``not_json`` or ``wrong_schema``; no field's value is repeated."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise PoisonRecord("not_json") from error
    try:
        return model.model_validate(document)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(str(part) for part in item["loc"]) or "value" for item in error.errors()}))
        raise PoisonRecord("wrong_schema", fields[:200]) from error
    # A validator met what nobody thought of: about this value all the same.
    except Exception as error:
        raise PoisonRecord("wrong_schema", type(error).__name__) from error


def decoder(*models: type[E]) -> Callable[[Record], E]:
    """A decode function for a topic of these event types."""
    types = {model.TYPE: model for model in models}
    return lambda record: decode(record, types)
