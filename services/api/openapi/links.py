"""Where an answer leads: which values of it are parameters of which other operation (OpenAPI 3.1, 4.8.20)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from services.api.openapi.examples import operations


class Lead(NamedTuple):
    """From these operations' answers to another operation, by the parameter and where the answer has it."""

    sources: tuple[str, ...]
    target: str
    parameter: str
    place: str
    text: str


_CASE: Final = ("getProcess", "getStatus", "registerDocuments", "downloadDocument", "downloadAll")
_OF_CASE: Final = "/process_number"
_LEADS: Final = (
    Lead(_CASE, "getStatus", "numero", _OF_CASE, "How far the case is"),
    Lead(_CASE, "getEvents", "numero", _OF_CASE, "The case, live"),
    Lead(_CASE, "listDocuments", "numero", _OF_CASE, "The documents, a page at a time"),
    Lead(_CASE, "getFiles", "numero", _OF_CASE, "The available documents"),
    Lead(_CASE, "getArchive", "numero", _OF_CASE, "The available documents as an archive"),
    Lead(("getProcess",), "listMovements", "numero", _OF_CASE, "The movements, a page at a time"),
    Lead(("getProcess",), "listParties", "numero", _OF_CASE, "The parties, a page at a time"),
    Lead(("getProcess", "downloadDocument", "downloadAll"), "getJob", "job_id", "/job/job_id", "The job"),
    Lead(("getProcess", "downloadDocument", "downloadAll"), "cancelJob", "job_id", "/job/job_id", "Cancel the job"),
    Lead(("getStatus",), "getJob", "job_id", "/job_id", "The job"),
    Lead(("redeliver",), "getDelivery", "delivery_id", "/id", "The delivery, with its new attempts"),
)


def add_links(document: dict[str, Any]) -> None:
    """Put the links into the successful JSON answers of the operations that they lead from."""
    by_id = {operation["operationId"]: operation for operation in operations(document)}
    for lead in _LEADS:
        for source in lead.sources:
            if source == lead.target:
                continue
            for status, answer in by_id[source]["responses"].items():
                if status.startswith("2") and "application/json" in answer.get("content", {}):
                    answer.setdefault("links", {})[lead.target] = {
                        "operationId": by_id[lead.target]["operationId"],
                        "parameters": {lead.parameter: f"$response.body#{lead.place}"},
                        "description": lead.text,
                    }
