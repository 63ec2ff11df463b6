"""One example of each event, made from a value for each field name: the same in every run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from shared.events.envelope import Event, deterministic_id, headers, payload

_AT: Final = datetime(2026, 3, 2, 14, 30, 15, 123456, tzinfo=UTC)
_LATER: Final = datetime(2026, 3, 2, 14, 32, 40, 654321, tzinfo=UTC)
_NUMBER: Final = "1000145-91.2023.8.26.0597"
_JOB: Final = "3f6c1d2e-8a4b-4c5d-9e6f-7a8b9c0d1e2f"
_DOCUMENT: Final = "0b7e4f5a-6c1d-4e2f-8a9b-1c2d3e4f5a6b"

_VALUES: Final[dict[str, object]] = {
    "already_available": 2,
    "at": _LATER,
    "attempt": 2,
    "attempts": 1,
    "client_id": "acme",
    "completed_at": _LATER,
    "completed_documents": 11,
    "content_type": "application/pdf",
    "created_at": _AT,
    "degraded_since": _AT,
    "delivery_id": "c2d3e4f5-a6b7-4c8d-9e0f-1a2b3c4d5e6f",
    "discover": False,
    "document_id": _DOCUMENT,
    "document_ids": [_DOCUMENT],
    "documents_url": f"https://autos.example/processes/{_NUMBER}/documents",
    "endpoint_id": "5a6b7c8d-9e0f-4a1b-8c2d-3e4f5a6b7c8d",
    "error_code": "timeout",
    "error_message": "the source did not answer in time",
    "event_type": "process.completed",
    "expected_size": 102400,
    "failed_documents": 1,
    "fetched_at": _LATER,
    "job_id": _JOB,
    "last_error": "timeout",
    "listed_type": "application/pdf",
    "lost": False,
    "name": "document",
    "message": "the source does not answer, or only with errors of a gateway; documents wait until it does",
    "next_attempt_at": _LATER,
    "not_before": _LATER,
    "object_key": f"processes/10001459120238260597/documents/{_DOCUMENT}",
    "object_version": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
    "payload": "thin",
    "plan_id": "8d9e0f1a-2b3c-4d5e-8f6a-7b8c9d0e1f2a",
    "process_number": _NUMBER,
    "reason": "gone",
    "reference": "matter-2024/0815",
    "refetch": False,
    "release_after": 3,
    "rendition": "binary",
    "replaced_at": _LATER,
    "resume_after": 3,
    "revision": 2,
    "sealed": False,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "since": _AT,
    "size": 102400,
    "source": "pdpj",
    "source_headers": ["content-type: application/pdf", "date: Mon, 02 Mar 2026 14:32:40 GMT"],
    "source_path": f"/processos/{_NUMBER}/documentos/{_DOCUMENT}/binario",
    "started_at": _AT,
    "state": "away",
    "status": "partial",
    "status_code": 503,
    "subscription_id": "7c8d9e0f-1a2b-4c3d-8e4f-5a6b7c8d9e0f",
    "total_documents": 12,
    "url": "https://client.example/webhook",
    "verify": False,
    "warnings": ["size_differs"],
}
_OF_MODEL: Final[dict[tuple[str, str], object]] = {
    ("SourceDegraded", "reason"): "source_unavailable",
    ("SourceRecovered", "state"): "open",
    ("SourceRecovered", "since"): _LATER,
}
"""Where a field's name means something else in one event."""


class NoSample(KeyError):
    """An event has a field that has no example value here."""


def sample(model: type[Event]) -> Event:
    """An example of the event. Raises NoSample."""
    missing = sorted(set(model.model_fields) - set(_VALUES))
    if missing:
        raise NoSample(f"{model.__name__}: {', '.join(missing)}")
    return model.model_validate(
        {name: _OF_MODEL.get((model.__name__, name), _VALUES[name]) for name in model.model_fields}
    )


def sample_record(model: type[Event], topic: str, source: str) -> dict[str, Any]:
    """The example as it travels: topic, key, headers and the value as JSON text."""
    event = sample(model)
    sent = headers(event, event_id=deterministic_id("sample", model.TYPE), source=source, time=_LATER)
    return {
        "topic": topic,
        "key": event.key(),
        "headers": {name: value.decode() for name, value in sent.items()},
        "value": payload(event).decode(),
    }
