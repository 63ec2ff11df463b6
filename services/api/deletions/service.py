"""Orders the deletion of cases, finishes what is ordered, and shows the certificates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection, Row

from services.api.access.caller import Caller
from services.api.deletions import order_rows
from services.api.deletions.order_rows import Orderer
from services.api.http import cursors
from services.api.http.problems import Problem, ProcessUnknown
from services.api.http.provided import provided
from shared.clock import Clock, rfc3339, rfc3339_or_none
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.engine import Database

_LOOK_SECONDS: Final = 0.1
_ROUND_SECONDS: Final = 10.0
"""Between two looks for what another replica has left; what this one has ordered is looked after each second."""
_AGAIN_SECONDS: Final = 1.0
_AT_ONCE: Final = 20
MOST_HASHES: Final = 50_000
"""Of a certificate that is shown, since no answer exceeds 4 MB; ``document_hashes_total`` counts all."""

_log = logging.getLogger(__name__)


class DeletionNotFound(Problem):
    """There is no such deletion."""

    status, code, title = 404, "deletion_not_found", "There is no such deletion"


class DeletionService:
    """The deletions of an installation. Any number of replicas may work at them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ordered = asyncio.Event()

    async def order(self, caller: Caller, number: str, wait: float) -> dict[str, Any]:
        """Order the deletion of a case, or join the open one, and wait at most so many seconds for its end. Commits.

        Raises ProcessUnknown when nothing is known of the case.
        """
        by = Orderer(caller.client_id, caller.key_id)
        row = await self._database.run(lambda connection: order_rows.accept(connection, str(number), by, self._clock()))
        if row is None:
            raise ProcessUnknown
        _log.info(
            "The deletion of a case is ordered, its jobs are over",
            extra={"deletion_id": row.deletion_id, "client_id": caller.client_id, "key_id": caller.key_id},
        )
        self._ordered.set()
        done = await self._until_complete(row.deletion_id, wait)
        # Whoever ordered it knows the number, and gets the nonce that the certificate is checked with.
        return _view(done) | {"process_number": str(number), "nonce": row.nonce}

    async def order_expired(self, number: str) -> bool:
        """Order the deletion of a case that the retention has found; False when its job runs, or it is gone."""
        row = await self._database.run(
            lambda connection: order_rows.accept(
                connection, number, Orderer(), self._clock(), reason=order_rows.RETENTION
            )
        )
        if row is not None:
            self._ordered.set()
            _log.info("A case older than the retention is deleted", extra={"deletion_id": row.deletion_id})
        return row is not None

    async def show(self, deletion_id: str) -> dict[str, Any]:
        """A deletion, or its certificate. Raises DeletionNotFound."""
        row = await self._found(deletion_id, hashes=True)
        if row is None:
            raise DeletionNotFound
        return _view(row)

    async def page(self, cursor: str | None, limit: int) -> dict[str, Any]:
        """Deletions, newest first, without the documents' hashes. Raises InvalidCursor."""
        before = cursors.decode_uuid(cursor) if cursor is not None else None
        rows = await self._database.autocommit(lambda connection: order_rows.page(connection, before, limit + 1))
        shown = rows[:limit]
        more = len(rows) > limit
        return {
            "deletions": [_view(row) for row in shown],
            "next_cursor": cursors.encode(shown[-1].requested_at, shown[-1].deletion_id) if more else None,
        }

    async def run(self) -> None:
        """Finish what is ordered, whoever ordered it and wherever it was left, until cancelled."""
        outage = Outage(
            _log,
            began="The database is away, the deletion of cases waits",
            over="The deletion of cases goes on",
            failed="A deletion could not be finished, will try again",
        )
        while True:
            with outage.of_try():
                await self.round()
            await wait_for_any(self._ordered, within=_ROUND_SECONDS)
            if self._ordered.is_set():
                await asyncio.sleep(_AGAIN_SECONDS)

    async def round(self) -> None:
        """Finish what can be finished now. Raises InfrastructureAway."""
        self._ordered.clear()
        unfinished = await self._database.autocommit(lambda connection: order_rows.unfinished(connection, _AT_ONCE))
        for deletion_id in unfinished:
            await self._finish(deletion_id)
        if unfinished:
            self._ordered.set()

    async def _finish(self, deletion_id: str) -> None:
        """Remove what the catalog has, a batch after the other, as far as the other services are done."""

        def batch(connection: Connection) -> bool:
            return order_rows.finish(connection, deletion_id, self._clock())

        while await self._database.run(batch):
            pass

    async def _until_complete(self, deletion_id: str, wait: float) -> Row[Any]:
        """The deletion when it is complete, or as it is after so many seconds.

        Looks ten times a second, and does the catalog's part itself as soon as the others have done theirs.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            await self._finish(deletion_id)
            row = await self._found(deletion_id)
            assert row is not None
            if row.completed_at is not None or loop.time() >= until:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        row = await self._found(deletion_id, hashes=True)
        assert row is not None
        if row.completed_at is not None:
            _log.info("A case is deleted", extra={"deletion_id": deletion_id, **_counts(row.removed)})
        return row

    async def _found(self, deletion_id: str, *, hashes: bool = False) -> Row[Any] | None:
        return await self._database.autocommit(
            lambda connection: order_rows.find(connection, deletion_id, hashes=hashes)
        )


Deletions = Annotated[DeletionService, Depends(provided(DeletionService))]


def _counts(removed: Mapping[str, int]) -> dict[str, int]:
    return {name: removed.get(name, 0) for name in ("documents", "objects", "deliveries")}


def _view(row: Row[Any]) -> dict[str, Any]:
    """The DeletionView of a row, with the hashes where the row was read with them.

    The number and the nonce are in it while the row has them: until the deletion is complete.
    """
    found = row._mapping
    completed = row.completed_at is not None
    view: dict[str, Any] = {
        "deletion_id": row.deletion_id,
        "status": "completed" if completed else "pending",
        "reason": row.reason,
        "requested_at": rfc3339(row.requested_at),
        "requested_by": {"client_id": row.client_id, "key_id": row.key_id},
        "deleted_at": rfc3339_or_none(row.completed_at),
        "case_digest": row.case_digest,
        **_counts(row.removed),
        "removed": row.removed,
    }
    if not completed:
        view |= {"process_number": row.process_number, "nonce": row.nonce}
    if "document_hashes" in found:
        view["document_hashes"] = row.document_hashes[:MOST_HASHES]
        view["document_hashes_total"] = len(row.document_hashes)
    return view
