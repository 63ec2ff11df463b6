"""What an archive of a case holds, and what its manifest says of the rest (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from services.api.documents.archive import ArchiveEntry, archive_names
from services.api.documents.manifest import ManifestHead, archive_manifest, document_entry, is_available
from shared.domain.secrecy import Sight
from shared.webhooks.manifest_signatures import ManifestSigner


@dataclass(frozen=True)
class ArchiveContent:
    """The entries of an archive in the order of the case, and how each is described; the rest is not in it."""

    head: ManifestHead
    entries: Sequence[ArchiveEntry]
    described: Sequence[dict[str, Any]]
    not_included: Sequence[dict[str, Any]]

    def manifest(self, signer: ManifestSigner) -> bytes:
        """manifest.json: exactly the entries, each with its name in the archive, and what the archive does not hold."""
        names = archive_names(self.entries)
        documents = [{**one, "file": name} for one, name in zip(self.described, names, strict=True)]
        return archive_manifest(self.head, documents, self.not_included, signer)


def archive_content(head: ManifestHead, rows: Iterable[Row[Any]], sight: Sight) -> ArchiveContent:
    """The available documents that ``head.wanted`` takes become entries. ``rows`` is of manifest_rows."""
    entries, described, left = [], [], []
    for row in rows:
        if not head.wanted.takes(row.type, row.type_code, row.filed_at):
            continue
        told = document_entry(row, sight)
        if not is_available(row):
            left.append(told)
            continue
        described.append(told)
        entries.append(
            ArchiveEntry(
                row.document_id,
                row.object_key,
                row.name,
                row.stored_content_type,
                int(row.stored_size),
                row.filed_at,
                told["position"],
            )
        )
    return ArchiveContent(head, entries, described, left)
