"""The manifest of a case: every document with its hash, signed, for whoever has to prove later what was there. Pure.

It is one JSON object whose member ``signature`` is a detached JWS (RFC 7515, appendix F; EdDSA of RFC 8037) over the
canonical form (RFC 8785) of all the others. There is no number in it but integers and no name but in ASCII, so the
canonical form is JSON with sorted names and without spaces, which every JSON library writes
(docs/adr/0044-signed-manifests.md). Every name sorts before ``signature``: the file is the signed bytes and the
signature behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Row

from services.api.documents.filter import ArchiveFilter
from services.api.jobs.model import CaseJob, job_view
from shared.clock import rfc3339, rfc3339_or_none
from shared.domain.secrecy import Sight
from shared.domain.statuses import DocumentStatus
from shared.version import __version__
from shared.webhooks.manifest_signatures import ManifestSigner

FORMAT: Final = "autos-manifest/1"
_MADE_BY: Final = f"autos {__version__}"
_OF_JOB: Final = ("job_id", "status", "created_at", "completed_at", "error_code", "error_message")


@dataclass(frozen=True)
class ManifestHead:
    """What a manifest says besides its documents.

    ``listed_at``: when the source's list of the case was read (None: never yet). ``left_out``: how many of what it
    lists are not kept, by kind.
    """

    process_number: str
    made_at: datetime
    job: CaseJob | None
    listed_at: datetime | None
    left_out: Mapping[str, int]
    wanted: ArchiveFilter


def canonical(value: Any) -> bytes:
    """The canonical form (RFC 8785) of a value without floats, in UTF-8. Names must be ASCII."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def is_available(row: Row[Any]) -> bool:
    """Whether the row's document is in the object store, as far as the projection says."""
    return row.status == DocumentStatus.AVAILABLE and row.object_key is not None


def document_entry(row: Row[Any], sight: Sight) -> dict[str, Any]:
    """A document in a manifest; ``row`` is of :mod:`services.api.documents.manifest_rows`.

    What is not available has no hash: ``status`` and the error's two fields say why.
    """
    there = is_available(row)
    failed = row.status == DocumentStatus.FAILED
    fetched_at = (row.fetched_at or row.download_completed_at) if there else None
    return {
        "id": row.document_id,
        "source": row.source,
        "source_id": row.source_id,
        "name": row.name,
        "type": row.type,
        "position": sight.left_out.place(row.position),
        "sequence": row.sequence,
        "filed_at": rfc3339_or_none(row.filed_at),
        "secrecy_level": row.secrecy_level,
        "sealed": sight.is_sealed(row.secrecy_level),
        "rendition": (row.stored_rendition if there else None) or row.rendition,
        "status": row.status or DocumentStatus.PENDING.value,
        "size": int(row.stored_size) if there else None,
        "sha256": row.sha256 if there else None,
        "content_type": row.stored_content_type if there else None,
        "fetched_at": rfc3339_or_none(fetched_at),
        "object_version": row.object_version if there else None,
        "source_headers": _headers(row.source_headers or ()) if there else {},
        "warnings": list(row.warnings or ()) if there else [],
        "error_code": row.error_code if failed else None,
        "error_message": row.error_message if failed else None,
    }


def _headers(lines: Sequence[str]) -> dict[str, str]:
    parted = (line.partition(": ") for line in lines)
    return {name: value for name, separator, value in parted if separator and name.isascii()}


def assemble(head: ManifestHead, documents: Iterable[bytes], signer: ManifestSigner) -> bytes:
    """The manifest, canonical and signed. ``documents``: each in canonical form, in the order of the case."""
    content = bytearray(b'{"documents":[')
    count = 0
    for count, document in enumerate(documents, 1):
        if count > 1:
            content += b","
        content += document
    content += b"],"
    content += canonical(_rest(head, count, signer.key_id))[1:]
    signature = canonical(signer.sign(content))
    del content[-1:]
    content += b',"signature":%b}' % signature
    return bytes(content)


def archive_manifest(
    head: ManifestHead,
    documents: Sequence[Mapping[str, Any]],
    not_included: Sequence[Mapping[str, Any]],
    signer: ManifestSigner,
) -> bytes:
    """The manifest of an archive, indented for people; ``documents`` are its entries, each with ``file``.

    ``not_included``: the documents of the case that the archive does not hold.
    """
    content = {
        "documents": documents,
        "not_included": not_included,
        **_rest(head, len(documents), signer.key_id),
    }
    signed = {**content, "signature": signer.sign(canonical(content))}
    return orjson.dumps(signed, option=orjson.OPT_INDENT_2)


def _rest(head: ManifestHead, count: int, key_id: str | None) -> dict[str, Any]:
    job = head.job
    shown = job_view(job, 0) if job is not None else {}
    return {
        "documents_total": count,
        "filter": _filter(head.wanted),
        "format": FORMAT,
        "job": {name: shown[name] for name in _OF_JOB} if job is not None else None,
        "key_id": key_id,
        "left_out": dict(head.left_out),
        "listed_at": rfc3339_or_none(head.listed_at),
        "made_at": rfc3339(head.made_at),
        "made_by": _MADE_BY,
        "process_number": head.process_number,
    }


def _filter(wanted: ArchiveFilter) -> dict[str, Any] | None:
    """What was asked for; None: every document."""
    if not wanted.types and wanted.since is None:
        return None
    return {"types": sorted(wanted.types), "since": rfc3339_or_none(wanted.since)}
