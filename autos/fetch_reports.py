"""What ``autos fetch`` says of a case: in words, as a line of JSON, and as manifest.json. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from autos.saving import Folder

_JOB: Final = ("process_number", "job_id", "status", "error_code", "error_message")
_COUNTS: Final = ("total_documents", "completed_documents", "failed_documents")
_OF_DOCUMENT: Final = ("id", "source_id", "name", "type", "size", "sha256", "content_type", "secrecy_level", "status")
_OF_FAILED: Final = ("id", "name", "error_code", "error_message")
SEALED: Final = " (sealed)"
"""Behind the number of a case, or the id of a document, that only keys with the scope sealed see."""
_PUBLIC: Final = (None, "PUBLICO", "0")
_FILTERED: Final = "not asked for (--since)"


def seal_of(document: Mapping[str, Any]) -> str:
    """The mark of a DocumentView that is sealed in an open case; empty of any other."""
    return SEALED if document["secrecy_level"] not in _PUBLIC else ""


def manifest(
    view: Mapping[str, Any],
    documents: Sequence[Mapping[str, Any]],
    saved: Mapping[str, str],
    lost: Mapping[str, str],
    *,
    filtered: bool,
    made_at: datetime,
) -> dict[str, Any]:
    """What the folder of a case holds and what it lacks, in the order of the case.

    ``view`` is the job's StatusView, ``documents`` are all DocumentViews; ``saved`` has the files' names and ``lost``
    the reasons why none could be saved, by the documents' ids. ``filtered``: not every document was asked for.
    """
    return {
        **{name: view[name] for name in (*_JOB, *_COUNTS)},
        "reference": view.get("reference"),
        "sealed": view.get("sealed", False),
        "made_at": made_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "documents": [
            {
                "number": document["position"],
                "file": saved.get(document["id"]),
                **{name: document[name] for name in _OF_DOCUMENT},
                "reason": _reason(document, saved, lost, filtered=filtered),
            }
            for document in documents
        ],
    }


def _reason(
    document: Mapping[str, Any], saved: Mapping[str, str], lost: Mapping[str, str], *, filtered: bool
) -> str | None:
    """Why a document has no file; None when it has one."""
    if document["id"] in saved:
        return None
    if document["error_code"]:
        return f"{document['error_code']}: {document['error_message']}"
    if document["id"] in lost:
        return lost[document["id"]]
    if document["status"] == "available":
        return _FILTERED if filtered else "it became available after the others were saved: run the command again"
    return "not downloaded"


def report_json(view: Mapping[str, Any], failed: Sequence[Mapping[str, Any]], folder: Folder | None) -> str:
    """A line of JSON about a case that was followed to its end."""
    return _line(
        {
            **{name: view[name] for name in (*_JOB, *_COUNTS)},
            "failed": [{name: document[name] for name in _OF_FAILED} for document in failed],
            "saved": len(folder.saved) if folder is not None else None,
            "not_saved": folder.lost if folder is not None else None,
        }
    )


def refused_json(number: str, code: str, detail: str) -> str:
    """The same of a case that the API refused: there is no job."""
    empty: dict[str, Any] = {**dict.fromkeys((*_JOB, *_COUNTS, "saved", "not_saved")), "failed": []}
    return _line({**empty, "process_number": number, "status": "refused", "error_code": code, "error_message": detail})


def report_words(
    view: Mapping[str, Any], failed: Sequence[Mapping[str, Any]], folder: Folder | None, archive: Path | None
) -> Iterator[str]:
    """The same in words, a line each."""
    seal = SEALED if view.get("sealed") else ""
    yield (
        f"{view['process_number']}{seal}: {view['status']}, {view['completed_documents']} of {view['total_documents']}"
        f" available, {view['failed_documents']} failed"
    )
    if view["error_code"]:
        yield f"  {view['error_code']}: {view['error_message']}"
    for document in failed:
        name = f"{document['name']} ({document['id']})"
        yield f"  failed: {name}: {document['error_code']}: {document['error_message']}"
    if archive is not None:
        yield f"saved {archive}"
    elif folder is not None:
        there = f", {folder.kept} of them were there already" if folder.kept else ""
        yield f"saved {len(folder.saved)} files in {folder.path}{there}"


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)
