"""Following a case: its state with an entity tag, the long poll, and the stream of events."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from services.api.answers import candidates
from services.api.changes import Changes
from services.api.jobs.model import job_view
from services.api.jobs.repository import shown_job
from services.api.links import RENEW_SECONDS, LinkCache
from services.api.problems import ProcessUnknown
from services.api.processes.markers import Marker, read_marker
from services.api.processes.reading import CaseParts, read_status
from services.api.processes.views import documents_view
from services.api.single_flight import SingleFlight
from shared.clock import Clock
from shared.db.engine import Database

_HEARTBEAT_SECONDS: Final = 15.0
_QUIET_SECONDS: Final = 0.2
_OVERLAP_SECONDS: Final = 5.0


@dataclass(frozen=True)
class EventId:
    """Where a stream is: the job, the version of it, and the time of the newest change of a document that was sent."""

    job_id: str
    version: int
    changed_at: float

    def __str__(self) -> str:
        return f"{self.job_id}:{self.version}:{int(self.changed_at * 1_000_000)}"

    @classmethod
    def parse(cls, text: str | None) -> EventId | None:
        """None for what is no id of ours: the stream then begins at the beginning."""
        parts = (text or "").split(":")
        if len(parts) != 3 or not parts[1].isdecimal() or not parts[2].isdecimal() or len(text or "") > 100:
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]) / 1_000_000)


class CaseFollower:
    """Reads states, and waits for their changes without asking the database meanwhile."""

    def __init__(self, database: Database, changes: Changes, links: LinkCache, clock: Clock) -> None:
        self._database = database
        self._changes = changes
        self._links = links
        self._clock = clock
        # However many wait for one case: a change is looked up once.
        self._markers = SingleFlight(self._read_marker)

    def tag(self, marker: Marker, *more: object) -> str:
        """The entity tag of a view of the case, and of what ``more`` it shows.

        It also changes every RENEW_SECONDS, so that no client keeps links that are over.
        """
        extra = f".{zlib.crc32(repr(more).encode()):x}" if more else ""
        return f'W/"{marker.text()}.{int(self._clock().timestamp() // RENEW_SECONDS):x}{extra}"'

    async def marker(self, process_number: str) -> Marker:
        """Raises ProcessUnknown when nobody has asked for the case."""
        found = await self._markers.get(process_number)
        if found is None:
            raise ProcessUnknown
        return found

    async def wait(self, process_number: str, seconds: float, if_none_match: str | None) -> Marker:
        """The marker once it is another one than the client's (or than now), or when the time (seconds) is over.

        Without a tag a case whose job has ended is answered at once: nothing more will happen by itself.
        """
        deadline = time.monotonic() + seconds
        held = {tag.strip('"').partition(".")[0] for tag in candidates(if_none_match)}
        with self._changes.watch(process_number) as watch:
            marker = await self.marker(process_number)
            if not held:
                if marker.ended:
                    return marker
                held = {marker.text()}
            while marker.text() in held:
                left = deadline - time.monotonic()
                if left <= 0 or not await watch.wait(left):
                    break
                marker = await self.marker(process_number)
        return marker

    async def status(self, process_number: str) -> dict[str, Any]:
        """The StatusView."""
        parts = await self._database.read(lambda connection: _status_parts(connection, process_number))
        return await self._links.build(parts.status, len(parts.documents))

    async def events(
        self, process_number: str, last_event_id: str | None, may_listen: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """Server-Sent Events from the client's last one on, until the job has ended (WHATWG HTML, section 9.2).

        A document's event may come twice around a reconnection; it tells the whole state, so that harms nothing.
        The stream ends when ``may_listen`` says so: a key may be revoked while it is open.
        """
        position = EventId.parse(last_event_id)
        floor = 0.0
        sent: dict[str, datetime] = {}
        yield b"retry: 2000\n\n"
        with self._changes.watch(process_number) as watch:
            while True:
                if not await may_listen():
                    return
                parts = await self._database.read(lambda connection: _status_parts(connection, process_number))
                if parts.job is not None:
                    if position is None or position.job_id != parts.job.job_id:
                        # A new listener, or another job: everything that is known is news.
                        position, floor, sent = None, 0.0, {}
                    elif not sent:
                        floor = position.changed_at
                    position, messages = await asyncio.to_thread(self._messages, parts, sent, floor, position)
                    for message in messages:
                        yield message
                    if parts.job.ended:
                        return
                while not await watch.wait(_HEARTBEAT_SECONDS):
                    if self._changes.closed:
                        return
                    yield b": still here\n\n"
                # A busy case changes many times a second: one look is enough for several changes.
                await asyncio.sleep(_QUIET_SECONDS)
                watch.event.clear()

    def _messages(
        self, parts: CaseParts, sent: dict[str, datetime], floor: float, position: EventId | None
    ) -> tuple[EventId, list[bytes]]:
        """What changed since ``position``. Only the last message has an id: a batch cut short is sent again."""
        job = parts.job
        assert job is not None
        newest = position.changed_at if position is not None else 0.0
        fresh = []
        for document in parts.documents:
            if document.state is None:
                continue
            changed, identity = document.state.updated_at, document.listed.document_id
            # Clocks and commits are not in step: what is a little older than the last one sent may be news too.
            if changed.timestamp() >= floor - _OVERLAP_SECONDS and sent.get(identity) != changed:
                sent[identity] = changed
                newest = max(newest, changed.timestamp())
                fresh.append(document)
        here = EventId(job.job_id, job.progress.version if job.progress is not None else 0, newest)
        summary = {**job_view(job, len(parts.documents)), "process_number": parts.process_number}
        views = documents_view(fresh, job, self._links, has_webhook=parts.has_webhook)
        messages = [_message("document", view) for view in views]
        if job.ended:
            messages += [_message("progress", summary), _message("completed", summary, here)]
        elif fresh or here != position:
            messages.append(_message("progress", summary, here))
        return here, messages

    async def over(self, process_number: str, last_event_id: str | None) -> bool:
        """Whether the client has had the last event of the case's job already."""
        resumed = EventId.parse(last_event_id)
        if resumed is None:
            return False
        parts = await self._database.read(lambda connection: shown_job(connection, process_number))
        if parts is None or not parts.ended or parts.job_id != resumed.job_id:
            return False
        return resumed.version >= (parts.progress.version if parts.progress is not None else 0)

    async def _read_marker(self, process_number: str) -> Marker | None:
        return await self._database.read(lambda connection: read_marker(connection, process_number))


def _status_parts(connection: Connection, process_number: str) -> CaseParts:
    return read_status(connection, process_number, shown_job(connection, process_number))


def _message(event: str, data: dict[str, Any], identity: EventId | None = None) -> bytes:
    named = b"id: %b\n" % str(identity).encode() if identity is not None else b""
    return b"event: %b\n%bdata: %b\n\n" % (event.encode(), named, orjson.dumps(data))
