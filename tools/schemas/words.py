"""What each topic is for, and what fields mean whose models do not say it: for schemas and the AsyncAPI document."""

from __future__ import annotations

from typing import Final

from shared.events import topics
from shared.events.envelope import Event
from tools.fields import documented

_AGAIN: Final = "tried again after about {delay:g} s; one fixed delay, so its records are in order of due time"

TOPICS: Final[dict[str, str]] = {
    topics.PROCESS_REQUESTED: "Cases whose documents are wanted: the planner reads each and requests its documents.",
    **{
        tier.topic: f"Cases that could not be read yet, {_AGAIN.format(delay=tier.delay)}."
        for tier in topics.PROCESS_RETRY
    },
    topics.PROCESS_DEAD: "Cases that cannot be planned, with the reason; `autos dead` lists and replays them.",
    topics.DOCUMENT_REQUESTED: "Documents to be fetched from the source into the object store.",
    **{
        tier.topic: f"Documents that could not be fetched yet, {_AGAIN.format(delay=tier.delay)}."
        for tier in topics.DOCUMENT_RETRY
    },
    topics.DOCUMENT_DEAD: "Documents that will not be tried again by themselves; `autos dead` lists and replays them.",
    topics.DOCUMENT_EVENTS: (
        "What happened to each job and to each of its documents, a job in order. Public: other systems may subscribe."
    ),
    topics.PROCESS_COMPLETED: (
        "Jobs that have ended: every document of the case is available or failed, or the job itself failed or was"
        " cancelled. Public: other systems may subscribe."
    ),
    topics.WEBHOOK_SUBSCRIBED: "What clients ask of the notifier: to be called when a job ends, or to be called again.",
    **{tier.topic: f"Webhooks that failed, {_AGAIN.format(delay=tier.delay)}." for tier in topics.WEBHOOK_RETRY},
    topics.WEBHOOK_EVENTS: (
        "What became of each webhook, attempt by attempt, a delivery in order; and how the sources of cases stand."
        " Public: other systems may subscribe."
    ),
    topics.WEBHOOK_DEAD: "Webhooks that were given up, for redelivery.",
}
"""By topic, a sentence or two."""

_FIELDS: Final[dict[str, str]] = {
    "already_available": "How many of the documents were available before the job began.",
    "at": "When it happened.",
    "attempt": "The number of the attempt, from 1.",
    "attempts": "How many answers the source gave about the document, from 1.",
    "client_id": "The client whose delivery, endpoint or request it is.",
    "completed_at": "When the job ended.",
    "completed_documents": "How many documents are available.",
    "content_type": "The media type of the bytes, as they show it.",
    "created_at": "When the job was created.",
    "delivery_id": "The delivery; the header `webhook-id` of its requests.",
    "degraded_since": "When it was noticed that the source answered less.",
    "document_id": "The document, by the id that the API gives it.",
    "endpoint_id": "The endpoint of a receiver.",
    "error_code": "Why it failed: a stable code (docs/reference/error-codes.md).",
    "error_message": "Why it failed, in words for people.",
    "failed_documents": "How many documents could not be fetched.",
    "job_id": "The job: one download of a case's documents, or of one of them.",
    "last_error": "The code of what went wrong last time; null the first time.",
    "name": "The document's name; of a sealed document its id.",
    "next_attempt_at": "When the next attempt is due; null when there is none.",
    "not_before": "When it is due; null: at once.",
    "object_key": "Where the object is in the bucket; nothing personal is in it.",
    "plan_id": "The reading of the case that this belongs to; null: none.",
    "process_number": "The case's CNJ number, with its mask.",
    "reason": "Why, as a code: `gone` (it answered 410), or what the last failure was.",
    "sha256": "The SHA-256 of the bytes, in lower-case hexadecimal digits.",
    "since": "Since when it stands so.",
    "size": "How many bytes the document has.",
    "source": "The source of cases, by its name in AUTOS_SOURCES.",
    "status": "How the job ended: `completed`, `partial` (some documents failed), `failed` or `cancelled`.",
    "status_code": "The HTTP status that the receiver answered; null when it gave no answer.",
    "subscription_id": "The subscription: one URL or endpoint of a client for one job.",
    "total_documents": "How many documents the job is about.",
    "url": "The receiver's URL, as the client gave it, with its query.",
}
"""By name, where the model itself has no docstring below the field: one meaning wherever the name stands."""


class Undescribed(LookupError):
    """A field or a topic has no description: neither a docstring in its model nor a line here."""


def meaning(model: type[Event], name: str) -> str:
    """What a field means: the docstring below it in the nearest class, else the line here. Raises Undescribed."""
    for base in model.__mro__:
        if issubclass(base, Event) and (said := documented(base).get(name)):
            return said
    if name not in _FIELDS:
        raise Undescribed(f"{model.__name__}.{name}: write a docstring below it, or a line in tools/schemas/words.py")
    return _FIELDS[name]


def unused() -> set[str]:
    """Names that a line here explains and that no event has."""
    return set(_FIELDS) - {name for models in topics.EVENTS.values() for one in models for name in one.model_fields}
