"""A small case with its signed manifest, made by the code of the api, for tests of manifests and of their check."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Row

from services.api.documents.archive import stream_archive
from services.api.documents.archive_content import archive_content
from services.api.documents.filter import ArchiveFilter
from services.api.documents.manifest import ManifestHead, assemble, canonical, document_entry
from shared.domain.secrecy import Sight
from shared.webhooks.manifest_signatures import ManifestSigner
from shared.webhooks.public_keys import key_set

NUMBER = "1000145-91.2023.8.26.0597"
NOW = datetime(2026, 3, 2, 14, 30, 15, 123456, tzinfo=UTC)
KEY = "whsk_" + base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = "whsk_" + base64.b64encode(bytes(range(1, 33))).decode()
JWKS = key_set([KEY])
KEY_ID: str = JWKS["keys"][0]["kid"]
SIGNER = ManifestSigner([KEY])
HEAD = ManifestHead(NUMBER, NOW, None, NOW, {}, ArchiveFilter())


def document_row(position: int, content: bytes | None, name: str = "Petição.pdf", **more: Any) -> Row[Any]:
    """A row of manifest_rows; without content the document failed."""
    there = content is not None
    columns = {
        "document_id": f"00000000-0000-0000-0000-{position:012d}",
        "source": "pdpj",
        "source_id": f"s{position}",
        "name": name,
        "type": "Petição",
        "type_code": "57",
        "position": position,
        "sequence": position,
        "filed_at": NOW,
        "secrecy_level": None,
        "rendition": "binary",
        "status": "available" if there else "failed",
        "object_key": f"key/{position}" if there else None,
        "sha256": hashlib.sha256(content).hexdigest() if content is not None else None,
        "stored_size": len(content) if content is not None else None,
        "stored_content_type": "application/pdf" if there else None,
        "stored_rendition": "binary" if there else None,
        "error_code": None if there else "no_access",
        "error_message": None if there else "the account has no access",
        "warnings": None,
        "fetched_at": NOW if there else None,
        "download_completed_at": NOW,
        "source_headers": ["date: Mon, 02 Mar 2026 14:30:15 GMT", 'etag: "a: b"'] if there else None,
        "object_version": None,
    }
    return cast(Row[Any], SimpleNamespace(**{**columns, **more}))


def signed_manifest(contents: Sequence[bytes | None], signer: ManifestSigner = SIGNER) -> bytes:
    """What GET /processes/{numero}/manifest.json answers of documents with these bytes (None: failed)."""
    rows = [document_row(place, content) for place, content in enumerate(contents, 1)]
    return assemble(HEAD, (canonical(document_entry(row, Sight(False))) for row in rows), signer)


def write_archive(path: Path, contents: Sequence[bytes | None], signer: ManifestSigner = SIGNER) -> Path:
    """documents.zip of the same case."""
    rows = [document_row(place, content) for place, content in enumerate(contents, 1)]
    found = archive_content(HEAD, rows, Sight(False))
    stored: Mapping[str, bytes] = {f"key/{place}": one for place, one in enumerate(contents, 1) if one is not None}

    async def opened(key: str) -> AsyncIterator[bytes]:
        yield stored[key]

    async def whole() -> bytes:
        return b"".join([part async for part in stream_archive(found.entries, found.manifest(signer), opened, NOW)])

    path.write_bytes(asyncio.run(whole()))
    return path
