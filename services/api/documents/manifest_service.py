"""Makes the manifest of a case: reads it in one snapshot, some documents at a time, and signs the whole."""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from sqlalchemy import Connection

from services.api.documents.archive_content import ArchiveContent, archive_content
from services.api.documents.filter import ArchiveFilter
from services.api.documents.manifest import ManifestHead, assemble, canonical, document_entry
from services.api.documents.manifest_rows import manifest_rows
from services.api.http.answers import matches
from services.api.http.problems import ProcessUnknown
from services.api.http.provided import provided
from services.api.jobs.repository import shown_job
from services.api.processes.view.case_parts import sight_for
from services.api.processes.view.version import read_version
from shared.clock import Clock
from shared.db.case_store import find_process
from shared.db.engine import Database
from shared.domain.secrecy import Sight, Viewer
from shared.webhooks.manifest_signatures import ManifestSigner

_AT_ONCE: Final = 2
"""Manifests made at once in a process: one of 10,000 documents takes 20 MB while it is made, of 100,000 130 MB."""


@dataclass(frozen=True)
class MadeManifest:
    """A manifest and its entity tag; ``content`` is None where the client's copy is current."""

    tag: str
    content: bytes | None


class ManifestService:
    """The manifests of the cases that a viewer sees."""

    def __init__(self, database: Database, signer: ManifestSigner, clock: Clock) -> None:
        self._database = database
        self._signer = signer
        self._clock = clock
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def make(
        self, viewer: Viewer, process_number: str, wanted: ArchiveFilter, if_none_match: str | None
    ) -> MadeManifest:
        """The manifest as it is now, unless the client's copy is of the same state. Raises ProcessUnknown."""

        def read(connection: Connection) -> MadeManifest:
            sight = sight_for(connection, viewer, process_number)
            tag = self._tag(connection, process_number, sight, wanted)
            if matches(if_none_match, tag):
                return MadeManifest(tag, None)
            head = self._head(connection, process_number, sight, wanted)
            documents = _documents(connection, process_number, sight, wanted)
            return MadeManifest(tag, assemble(head, documents, self._signer))

        async with self._turn:
            return await self._database.snapshot(read)

    async def archive(self, viewer: Viewer, process_number: str, wanted: ArchiveFilter) -> ArchiveContent:
        """What an archive of the case holds now. Raises ProcessUnknown."""

        def read(connection: Connection) -> ArchiveContent:
            sight = sight_for(connection, viewer, process_number)
            head = self._head(connection, process_number, sight, wanted)
            pages = manifest_rows(connection, process_number, sealed=sight.sealed)
            return archive_content(head, itertools.chain.from_iterable(pages), sight)

        return await self._database.snapshot(read)

    async def sign(self, content: ArchiveContent) -> bytes:
        """The manifest of an archive."""
        async with self._turn:
            return await asyncio.to_thread(content.manifest, self._signer)

    def _head(self, connection: Connection, process_number: str, sight: Sight, wanted: ArchiveFilter) -> ManifestHead:
        """What is said of the case beside its documents; for a snapshot."""
        case = find_process(connection, process_number)
        return ManifestHead(
            process_number,
            self._clock(),
            shown_job(connection, process_number, sight),
            case.fetched_at if case is not None else None,
            (case.left_out or {}) if case is not None else {},
            wanted,
        )

    def _tag(self, connection: Connection, process_number: str, sight: Sight, wanted: ArchiveFilter) -> str:
        """Weak: a manifest of the same state has another ``made_at``."""
        version = read_version(connection, process_number)
        if version is None:
            raise ProcessUnknown
        shown = (sight.sealed, sight.hides, sorted(wanted.types), wanted.since, self._signer.key_id)
        return f'W/"{version.text()}.m{zlib.crc32(repr(shown).encode()):x}"'


def _documents(connection: Connection, process_number: str, sight: Sight, wanted: ArchiveFilter) -> Iterator[bytes]:
    for rows in manifest_rows(connection, process_number, sealed=sight.sealed):
        for row in rows:
            if wanted.takes(row.type, row.type_code, row.filed_at):
                yield canonical(document_entry(row, sight))


Manifests = Annotated[ManifestService, Depends(provided(ManifestService))]
