"""Where an answer leads: which values of it are parameters of which other operation (OpenAPI 3.1, 4.8.20)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from services.api.openapi.examples import operations


class OperationLink(NamedTuple):
    """From these operations' answers to another operation, by the parameter and where the answer has it."""

    sources: tuple[str, ...]
    target: str
    parameter: str
    place: str
    text: str


_CASE: Final = ("getProcess", "getStatus", "registerDocuments", "downloadDocument", "downloadAll")
_WITH_JOB: Final = ("getProcess", "downloadDocument", "downloadAll")
_OF_CASE: Final = "/process_number"
_LINKS: Final = (
    OperationLink(_CASE, "getStatus", "numero", _OF_CASE, "How far the case is"),
    OperationLink(_CASE, "getEvents", "numero", _OF_CASE, "The case, live"),
    OperationLink(_CASE, "listDocuments", "numero", _OF_CASE, "The documents, a page at a time"),
    OperationLink(_CASE, "getFiles", "numero", _OF_CASE, "The available documents"),
    OperationLink(_CASE, "getArchive", "numero", _OF_CASE, "The available documents as an archive"),
    OperationLink(("getProcess",), "listMovements", "numero", _OF_CASE, "The movements, a page at a time"),
    OperationLink(("getProcess",), "listParties", "numero", _OF_CASE, "The parties, a page at a time"),
    OperationLink(_WITH_JOB, "getJob", "job_id", "/job/job_id", "The job"),
    OperationLink(_WITH_JOB, "cancelJob", "job_id", "/job/job_id", "Cancel the job"),
    OperationLink(("getStatus",), "getJob", "job_id", "/job_id", "The job"),
    OperationLink(("redeliver",), "getDelivery", "delivery_id", "/id", "The delivery, with its new attempts"),
)


def add_links(document: dict[str, Any]) -> None:
    """Put the links into the successful JSON answers of the operations that they lead from. Changes the document in
    place.

    Raises KeyError for a link to or from an operation that the document does not have.
    """
    by_id = {operation["operationId"]: operation for operation in operations(document)}
    for link in _LINKS:
        for source in link.sources:
            if source == link.target:
                continue
            for status, answer in by_id[source]["responses"].items():
                if status.startswith("2") and "application/json" in answer.get("content", {}):
                    answer.setdefault("links", {})[link.target] = {
                        "operationId": by_id[link.target]["operationId"],
                        "parameters": {link.parameter: f"$response.body#{link.place}"},
                        "description": link.text,
                    }
