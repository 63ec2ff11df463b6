"""The object store as the fetcher uses it: a document is stored whole or not at all, and an outage holds work."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import IO, Final
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from services.downloader.fetcher.memory_budget import ByteBudget
from shared.concurrency.outage import Outage
from shared.errors import InfrastructureAway
from shared.events.document_requested import DocumentRequested
from shared.storage.known_puts import KnownPuts, PutFailed
from shared.storage.sizes import ObjectSizes, ObjectStoreAway
from shared.storage.store import object_key
from sources.errors import RetryableError

SEVERAL_PARTS_BYTES: Final = 8 * 1024 * 1024
"""From this size on an upload has several parts."""

PART_BYTES: Final = 5 * 1024 * 1024
"""The least that S3 takes as a part, since parts are what an upload has in memory; 10,000 of them are allowed."""

_PARTS_AT_ONCE: Final = 2
_COPIES: Final = 4
"""How many times a part (or a whole small document) is in memory at worst, measured: read, queued, being sent."""

_MEMORY_BYTES: Final = 2 * _COPIES * PART_BYTES
"""What all uploads together may take: two large ones, or many small ones."""

_PROBE_SECONDS: Final = 5.0
_NAME_BYTES: Final = 1024
"""User metadata is limited to 2 kB in all by S3."""

_FORBIDDEN: Final = 403
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,100})</Code>")
_ABOUT_THE_OBJECT: Final = frozenset({400, 413, 414, 431})
"""Statuses that say: not this one. A 401, 403, 404 (no bucket), 409, 429 or 5xx says: not now, whatever it is."""
_ABOUT_THE_STORE: Final = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "IncompleteBody",
        "InvalidBucketName",
        "InvalidToken",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "TokenRefreshRequired",
    }
)
"""Codes of a 400 that have nothing to do with the object (Amazon S3 API reference, Error responses)."""

_log = logging.getLogger(__name__)


class StoreRefused(RetryableError):
    """Raised when the store answers that it does not take this very object: it costs an attempt, and attempts end."""

    CODE = "store_refused"
    MESSAGE = "the object store does not take the document"


def is_refusal(error: Exception) -> bool:
    """Whether the store's answer is about the object that was put, and not about the store."""
    # obstore has no field for them: the answer stands in its text, before what it prints for debugging.
    answer = str(error).partition("Debug source:")[0]
    status = _STATUS.search(answer)
    if status is None or int(status[1]) not in _ABOUT_THE_OBJECT:
        return False
    code = _CODE.search(answer)
    return code is None or code[1] not in _ABOUT_THE_STORE


class DocumentStore:
    """Puts documents under their keys. A repeat overwrites itself with the same bytes.

    All uploads of a process share a budget of memory (_MEMORY_BYTES); one that does not fit waits for the others. With
    ``known_puts`` a document that is in memory is put by them first.
    """

    def __init__(self, store: S3Store, known_puts: KnownPuts | None = None) -> None:
        self._store = store
        self._known_puts = known_puts
        self._sizes = ObjectSizes(store)
        self._budget = ByteBudget(_MEMORY_BYTES)
        self._outage = Outage(
            _log, began="The object store is away, documents wait", over="The object store is back, documents go on"
        )

    async def ready(self, key: str) -> None:
        """Ask the store first when it was away at the last try, before a document is read for nothing.

        Raises InfrastructureAway.
        """
        if not self._outage.away:
            return
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await obstore.head_async(self._store, key)
        except FileNotFoundError:
            # obstore's word for 404, and no BaseError: the store answers, and does not have the document yet.
            pass
        except (BaseError, OSError) as error:
            raise InfrastructureAway("object store") from error
        self._outage.is_over()

    async def has(self, key: str, size: int) -> bool:
        """Whether there is an object of so many bytes. Raises InfrastructureAway."""
        try:
            return await self._sizes.one(key) == size
        except ObjectStoreAway as away:
            self._outage.began(error=type(away).__name__)
            raise InfrastructureAway("object store") from away

    async def put(
        self,
        request: DocumentRequested,
        content: bytes | IO[bytes],
        *,
        key: str | None = None,
        size: int,
        sha256: str,
        content_type: str,
    ) -> str | None:
        """Store a document with its metadata, by its case and id unless ``key`` is given. ``size`` in bytes.

        Gives the version of the object, where the store keeps versions.

        From 8 MiB on in parts of 5 MiB. A multipart upload that breaks off leaves no object; its parts are removed by
        the rule of storage/bucket.py.

        Raises:
            StoreRefused: the answer is about this object; it costs an attempt.
            InfrastructureAway: the store is away, or refuses whatever it gets.
        """
        several_parts = size >= SEVERAL_PARTS_BYTES
        key = key or object_key(request.process_number, request.document_id)
        metadata = {
            "sha256": sha256,
            "process-number": request.process_number,
            "name": encoded_name(request.name),
        }
        async with self._budget.hold(_COPIES * (PART_BYTES if several_parts else size)):
            if self._known_puts is not None and isinstance(content, bytes):
                headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
                try:
                    return await self._known_puts.put(key, content, sha256, headers | {"content-type": content_type})
                except PutFailed as failed:
                    # obstore puts it again, repeats what may be repeated, and tells what it is about.
                    self._put_failed(failed)
            try:
                put = await obstore.put_async(
                    self._store,
                    key,
                    # By pieces of a part's size: given the file itself, obstore holds half as much again.
                    content if isinstance(content, bytes) else _parts(content),
                    attributes={"Content-Type": content_type, **metadata},
                    use_multipart=several_parts,
                    chunk_size=PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
            # OSError: FileNotFoundError is a 404, the bucket is not there (yet: a store that starts says so too).
            except (BaseError, OSError) as error:
                if is_refusal(error):
                    raise StoreRefused from error
                # The class only: the text of an error quotes the request, which has the document's name.
                self._outage.began(error=type(error).__name__)
                raise InfrastructureAway("object store") from error
        return put["version"]

    def _put_failed(self, failed: PutFailed) -> None:
        if failed.status == _FORBIDDEN and self._known_puts is not None:
            # A proxy that changes what was signed, say. Trying it for each document would be one request too many.
            self._known_puts = None
            _log.warning("The object store refuses our own signature, its client's is used from now on")


async def _parts(file: IO[bytes]) -> AsyncIterator[bytes]:
    while part := await asyncio.to_thread(file.read, PART_BYTES):
        yield part


def encoded_name(name: str) -> str:
    """A name as metadata, which is ASCII: percent-encoded UTF-8 (as RFC 5987 does), cut to whole characters."""
    whole = quote(name, safe="", errors="replace")
    if len(whole) <= _NAME_BYTES:
        return whole
    kept, length = [], 0
    for char in name:
        piece = quote(char, safe="", errors="replace")
        length += len(piece)
        if length > _NAME_BYTES:
            break
        kept.append(piece)
    return "".join(kept)
