"""The event stream in the document: text for whoever reads it as text, and the shape of each event for the others.

What a text holds once it is read is JSON Schema's ``contentSchema`` (draft 2020-12, among what a validator only notes).
"""

from __future__ import annotations

from typing import Any, Final

_JOB: Final = "5b0e9e2c-6b1c-4a53-8a56-0b6a1d4f1c11"
_EXAMPLE: Final = (
    "retry: 2000\n\n"
    'event: document\ndata: {"id":"0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55","status":"available"}\n\n'
    f'id: {_JOB}:4:1772461815123456\nevent: progress\ndata: {{"status":"processing"}}\n\n'
)


def add_stream(document: dict[str, Any]) -> None:
    """Describe the events of ``GET /processes/{numero}/events``. Changes the document in place; JobView
    must be in it.
    """
    schemas = document["components"]["schemas"]
    job = {"$ref": "#/components/schemas/StatusEventData", "description": "The job, with the number of its case"}
    schemas["StatusEventData"] = {
        "title": "StatusEventData",
        "description": "The job, with the number of its case",
        "allOf": [
            {"$ref": "#/components/schemas/JobView"},
            {
                "type": "object",
                "required": ["process_number"],
                "properties": {
                    "process_number": {
                        "type": "string",
                        "description": "The case's CNJ number, with its mask",
                        "examples": ["1000145-91.2023.8.26.0597"],
                    }
                },
            },
        ],
    }
    schemas["CaseEvent"] = {
        "title": "CaseEvent",
        "description": "One event of a case: its kind, its data, and the id to go on from (header Last-Event-ID)",
        "oneOf": [
            _event("document", {"$ref": "#/components/schemas/DocumentView", "description": "The document"}),
            _event("progress", job),
            _event("completed", job),
        ],
    }
    content = document["paths"]["/processes/{numero}/events"]["get"]["responses"]["200"]["content"]
    content["text/event-stream"] = {
        "schema": {
            "type": "string",
            "description": "Server-Sent Events (WHATWG HTML); `data` is JSON on one line",
            "contentMediaType": "text/event-stream",
            "contentSchema": {"type": "array", "items": {"$ref": "#/components/schemas/CaseEvent"}},
        },
        "examples": {"events": {"summary": "The first events of a case", "value": _EXAMPLE}},
    }


def _event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "title": f"{kind.capitalize()}Event",
        "required": ["event", "data"],
        "properties": {
            "event": {"const": kind, "type": "string", "description": "The kind", "examples": [kind]},
            "id": {
                "type": "string",
                "description": "Where a stream goes on; not every event has one",
                "examples": [f"{_JOB}:4:1772461815123456"],
            },
            "data": data,
        },
    }
