"""Following a case: its state with an entity tag, the long poll, and the stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection

from services.api.http.answers import candidates
from services.api.http.problems import ProcessUnknown
from services.api.http.provided import provided
from services.api.http.waits import waiting_for_others
from services.api.jobs.model import CaseJob
from services.api.jobs.repository import shown_job
from services.api.processes.follow.changes import CaseChanges
from services.api.processes.follow.event_id import BEGINNING, EventId
from services.api.processes.follow.stream_pages import StreamPages, message
from services.api.processes.view.case_parts import CaseParts, read_status, sight_for
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.tags import EntityTags
from services.api.processes.view.version import CaseVersion, read_version
from shared.clock import Clock
from shared.concurrency.single_flight import SingleFlight
from shared.db.engine import Database
from shared.domain.secrecy import Sight, Viewer

_HEARTBEAT_SECONDS: Final = 15.0
_QUIET_SECONDS: Final = 0.2


class CaseFollower:
    """Shows how far a case is, and waits for its changes without asking the database meanwhile."""

    def __init__(self, database: Database, changes: CaseChanges, links: LinkCache, clock: Clock) -> None:
        self._database = database
        self._changes = changes
        self._links = links
        self._tags = EntityTags(clock)
        self._feed = StreamPages(database, changes, links)
        # However many requests wait for one case, a change is looked up once.
        self._versions = SingleFlight(self._read_version)

    def tag(self, version: CaseVersion, sight: Sight, *more: object) -> str:
        """The entity tag of the StatusView; ``more``: what it shows beside the version."""
        return self._tags.of(version, sight, *more, *((sight.reference_changes,) if sight.reference_changes else ()))

    async def sight(self, viewer: Viewer, process_number: str) -> Sight:
        """What the viewer sees of the case. Raises ProcessUnknown when that is nothing."""
        return await self._database.autocommit(lambda connection: sight_for(connection, viewer, process_number))

    async def version(self, process_number: str) -> CaseVersion:
        """The version of a case, whoever sees it. Raises ProcessUnknown when nobody has asked for the case."""
        found = await self._versions.get(process_number)
        if found is None:
            raise ProcessUnknown
        return found

    async def wait(self, process_number: str, seconds: float, if_none_match: str | None) -> CaseVersion:
        """The version once it is another one than the client's (or than now), or when the time (seconds) is over.

        Whether the client may see the case is asked before and after. Without a tag a case whose job has ended is
        answered at once: nothing more happens until somebody asks again.
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
                with waiting_for_others():
                    changed = left > 0 and await watch.wait(left)
                if not changed:
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
            return read_status(connection, process_number, sight, job, viewer.client_id, documents=documents)

        parts = await self._database.snapshot(read)
        return parts.sight, await self._links.build(parts.status, len(parts.documents))

    async def events(
        self, process_number: str, last_event_id: str | None, listener: Callable[[], Awaitable[Viewer | None]]
    ) -> AsyncIterator[bytes]:
        """Server-Sent Events from the client's last one on, until the job has ended (WHATWG HTML, section 9.2).

        A document's event may come twice around a reconnection. It has the whole state, so that does no harm. The
        stream ends when ``listener`` gives nobody any more, or somebody who sees less: while it is open a key may be
        revoked or lose a scope, and a case may become sealed.
        """
        position = EventId.parse(last_event_id)
        sent: dict[str, datetime] = {}
        sight: Sight | None = None
        yield b"retry: 2000\n\n"
        with self._changes.watch(process_number) as watch:
            while True:
                before, sight = sight, await self._sight_now(listener, process_number)
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
                        # A large case takes many pages: what the listener sees may change between two.
                        now = await self._sight_now(listener, process_number)
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

        ``sent`` gets what changed from ``keep_since`` on, since the next sweep finds it again.
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

    async def _sight_now(self, listener: Callable[[], Awaitable[Viewer | None]], process_number: str) -> Sight | None:
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
