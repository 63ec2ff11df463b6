"""Following a case: its state with an entity tag, the long poll, and the stream of events."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection

from services.api.http.answers import candidates
from services.api.http.problems import ProcessUnknown
from services.api.http.provided import provided
from services.api.jobs.model import CaseJob
from services.api.jobs.repository import shown_job
from services.api.processes.follow.changes import CaseChanges
from services.api.processes.follow.stream_pages import BEGINNING, OVERLAP, StreamPages, message
from services.api.processes.single_flight import SingleFlight
from services.api.processes.view.case_parts import CaseParts, read_status, sight_for
from services.api.processes.view.links import RENEW_SECONDS, SEALED_RENEW_SECONDS, LinkCache
from services.api.processes.view.version import CaseVersion, read_version
from shared.clock import Clock
from shared.db.engine import Database
from shared.domain.secrecy import Sight, Viewer

_HEARTBEAT_SECONDS: Final = 15.0
_QUIET_SECONDS: Final = 0.2


@dataclass(frozen=True)
class EventId:
    """Where a stream is: the job, the version of it, and the time of the newest change of a document that was sent."""

    job_id: str
    version: int
    changed_at: float

    def __str__(self) -> str:
        return f"{self.job_id}:{self.version}:{max(0, round(self.changed_at * 1_000_000))}"

    @classmethod
    def parse(cls, text: str | None) -> EventId | None:
        """None for what is no id of ours: the stream then begins at the beginning."""
        parts = (text or "").split(":")
        if len(parts) != 3 or not parts[1].isdecimal() or not parts[2].isdecimal() or len(text or "") > 100:
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]) / 1_000_000)

    @property
    def since(self) -> datetime:
        """From when on changes may be news to whoever has had this event."""
        try:
            return max(BEGINNING, datetime.fromtimestamp(self.changed_at, UTC) - OVERLAP)
        except (OverflowError, ValueError, OSError):
            # Not one of ours.
            return BEGINNING


class CaseFollower:
    """Reads states, and waits for their changes without asking the database meanwhile."""

    def __init__(self, database: Database, changes: CaseChanges, links: LinkCache, clock: Clock) -> None:
        self._database = database
        self._changes = changes
        self._links = links
        self._clock = clock
        self._feed = StreamPages(database, changes, links)
        # However many wait for one case: a change is looked up once.
        self._versions = SingleFlight(self._read_version)

    def tag(self, version: CaseVersion, sight: Sight, *more: object) -> str:
        """The entity tag of a view of the case as ``sight`` sees it, and of what ``more`` it shows.

        It also changes every RENEW_SECONDS, so that no client keeps links that are over; those of sealed documents are
        over sooner.
        """
        renewed = SEALED_RENEW_SECONDS if sight.sealed else RENEW_SECONDS
        shown = (*more, sight.sealed, sight.hides) if sight.sealed or sight.hides else more
        extra = f".{zlib.crc32(repr(shown).encode()):x}" if shown else ""
        return f'W/"{version.text()}.{int(self._clock().timestamp() // renewed):x}{extra}"'

    async def sight(self, viewer: Viewer, process_number: str) -> Sight:
        """What the viewer sees of the case. Raises ProcessUnknown when that is nothing."""
        return await self._database.autocommit(lambda connection: sight_for(connection, viewer, process_number))

    async def version(self, process_number: str) -> CaseVersion:
        """The state of a case, for whoever may see it. Raises ProcessUnknown when nobody has asked for it."""
        found = await self._versions.get(process_number)
        if found is None:
            raise ProcessUnknown
        return found

    async def wait(self, process_number: str, seconds: float, if_none_match: str | None) -> CaseVersion:
        """The marker once it is another one than the client's (or than now), or when the time (seconds) is over.

        Whether the client may see the case is asked before and after. Without a tag a case whose job has ended is
        answered at once: nothing more will happen by itself.
        """
        deadline = time.monotonic() + seconds
        held = {tag.strip('"').partition(".")[0] for tag in candidates(if_none_match)}
        with self._changes.watch(process_number) as watch:
            version = await self.version(process_number)
            if not held:
                if version.ended:
                    return version
                held = {version.text()}
            while version.text() in held:
                left = deadline - time.monotonic()
                if left <= 0 or not await watch.wait(left):
                    break
                version = await self.version(process_number)
        return version

    async def status(
        self, viewer: Viewer, process_number: str, *, documents: bool = True
    ) -> tuple[Sight, dict[str, Any]]:
        """What the viewer sees, and the StatusView as it sees it, with or without its documents.

        Raises ProcessUnknown.
        """

        def read(connection: Connection) -> CaseParts:
            sight = sight_for(connection, viewer, process_number)
            job = shown_job(connection, process_number, sight)
            return read_status(connection, process_number, sight, job, documents=documents)

        parts = await self._database.snapshot(read)
        return parts.sight, await self._links.build(parts.status, len(parts.documents))

    async def events(
        self, process_number: str, last_event_id: str | None, listener: Callable[[], Awaitable[Viewer | None]]
    ) -> AsyncIterator[bytes]:
        """Server-Sent Events from the client's last one on, until the job has ended (WHATWG HTML, section 9.2).

        A document's event may come twice around a reconnection; it tells the whole state, so that harms nothing.
        The stream ends when ``listener`` is nobody any more or sees less than it did: a key may be revoked, or lose a
        scope, and a case may become sealed, while it is open.
        """
        position = EventId.parse(last_event_id)
        sent: dict[str, datetime] = {}
        sight: Sight | None = None
        yield b"retry: 2000\n\n"
        with self._changes.watch(process_number) as watch:
            while True:
                before, sight = sight, await self._heard(listener, process_number)
                if sight is None or sight.is_less_than(before):
                    return
                state = await self._feed.state(process_number, sight)
                if state.job is not None:
                    if position is not None and position.job_id != state.job.job_id:
                        # Another job: everything that is known is news.
                        position, sent = None, {}
                    since = position.since if position is not None else BEGINNING
                    is_news = False
                    here = EventId(state.job.job_id, state.version, state.newest.timestamp())
                    async for chunk in self._sweep(process_number, sight, state.job, since, sent, here.since):
                        is_news = True
                        yield chunk
                        # A large case is told in many pages.
                        now = await self._heard(listener, process_number)
                        if now is None or now.is_less_than(sight):
                            return
                    if state.job.ended:
                        yield message("progress", state.summary) + message("completed", state.summary, here)
                        return
                    if is_news or here != position:
                        yield message("progress", state.summary, here)
                    position = here
                    sent = {identity: at for identity, at in sent.items() if at >= here.since}
                while not await watch.wait(_HEARTBEAT_SECONDS):
                    if self._changes.closed:
                        return
                    yield b": still here\n\n"
                # A busy case changes many times a second: one look is enough for several changes.
                await asyncio.sleep(_QUIET_SECONDS)
                watch.event.clear()

    async def _sweep(
        self,
        process_number: str,
        sight: Sight,
        job: CaseJob,
        since: datetime,
        sent: dict[str, datetime],
        keep_since: datetime,
    ) -> AsyncIterator[bytes]:
        """The events of the documents that changed from ``since`` on and were not ``sent`` as they are now.

        What changed from ``keep_since`` on the next sweep comes upon again: it is noted in ``sent``.
        """
        after: str | None = None
        while True:
            page = await self._feed.page(process_number, sight, job, since, after)
            fresh = [change for change in page.changes if sent.get(change.document_id) != change.changed_at]
            sent.update((one.document_id, one.changed_at) for one in fresh if one.changed_at >= keep_since)
            if fresh:
                yield b"".join(change.message for change in fresh)
            after = page.after
            if after is None:
                return

    async def _heard(self, listener: Callable[[], Awaitable[Viewer | None]], process_number: str) -> Sight | None:
        """What the listener sees of the case now; None when that is nothing any more."""
        viewer = await listener()
        return await self._feed.sight(process_number, viewer) if viewer is not None else None

    async def is_over(self, process_number: str, sight: Sight, last_event_id: str | None) -> bool:
        """Whether the client has had the last event of the case's job already."""
        resumed = EventId.parse(last_event_id)
        if resumed is None:
            return False
        job = await self._database.autocommit(lambda connection: shown_job(connection, process_number, sight))
        if job is None or not job.ended or job.job_id != resumed.job_id:
            return False
        return resumed.version >= (job.progress.version if job.progress is not None else 0)

    async def _read_version(self, process_number: str) -> CaseVersion | None:
        return await self._database.autocommit(lambda connection: read_version(connection, process_number))


Follower = Annotated[CaseFollower, Depends(provided(CaseFollower))]
