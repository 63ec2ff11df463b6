"""Compares what the product says with what a case's ``expect.json`` wants. Pure; the differences are sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_APART: Final = frozenset({"name", "id", "sequence", "content_type", "charset"})


def is_met(wanted: Any, found: Any) -> bool:
    """A value as it stands; a list: any of these; ``"*"``: not null; ``{"min": n}``: at least n."""
    if wanted == "*":
        return found is not None
    if isinstance(wanted, Mapping) and set(wanted) == {"min"}:
        return found is not None and bool(found >= wanted["min"])
    if isinstance(wanted, list):
        return any(one == found if isinstance(one, list) else is_met(one, found) for one in wanted)
    return bool(wanted == found)


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any], where: str) -> Iterator[str]:
    """A sentence for each field that is not as wanted."""
    for name, value in wanted.items():
        if not is_met(value, found.get(name)):
            yield f"{where}: {name} is {found.get(name)!r}, wanted {value!r}"


def job_differences(wanted: Mapping[str, Any], view: Mapping[str, Any]) -> Iterator[str]:
    """The short names of ``expect.json`` against a StatusView."""
    names = {"total": "total_documents", "completed": "completed_documents", "failed": "failed_documents"}
    yield from differences({names.get(name, name): value for name, value in wanted.items()}, view, "job")


def document_of(wanted: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The document meant: by its id, else its name, else its number in the case."""
    for name in ("id", "name", "sequence"):
        if name in wanted:
            return next((document for document in documents if document[name] == wanted[name]), None)
    raise ValueError("a wanted document needs an id, a name or a sequence")


def document_differences(wanted: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each field of one document that is not as wanted."""
    named = wanted.get("id") or wanted.get("name") or wanted.get("sequence")
    document = document_of(wanted, documents)
    if document is None:
        yield f"document {named!r} is not listed"
        return
    where = f"document {named!r}"
    fields = {name: value for name, value in wanted.items() if name not in _APART}
    yield from differences(fields, document, where)
    media_type, _, parameters = (document["content_type"] or "").partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"') or None
    for name, value in (("content_type", media_type.strip() or None), ("charset", charset)):
        if name in wanted and not is_met(wanted[name], value):
            yield f"{where}: {name} is {value!r}, wanted {wanted[name]!r}"


def rule_differences(view: Mapping[str, Any]) -> Iterator[str]:
    """What holds in every case: each job ends, each document listed is counted, each failed one says why."""
    if view["completed_at"] is None:
        yield f"the job has not ended: {view['status']}"
    if view["error_code"] is None and len(view["documents"]) != view["total_documents"]:
        yield f"{len(view['documents'])} documents are listed and {view['total_documents']} counted"
    for document in view["documents"]:
        if document["status"] == "failed" and not (document["error_code"] and document["error_message"]):
            yield f"document {document['name']!r} failed without a reason"


def at_path(body: Any, path: str) -> Any:
    """``data.total_documents`` in a JSON value; None where it is not."""
    for step in path.split("."):
        body = body.get(step) if isinstance(body, Mapping) else None
    return body
