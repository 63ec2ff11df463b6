"""Deleted cases, as the downloader sees them: whose requests are dropped, and what is removed of them.

A document may be on its way while its case is deleted. Whoever has stored one asks afterwards whether its case still
is, and removes what it has stored if not; so does whoever gets the request again after a kill in between
(docs/adr/0039-deletion.md).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, text

from shared.db.case_store import lock_case
from shared.db.deletions import find_deleted_jobs, removing
from shared.db.engine import Database
from shared.deletion import DeletedCase
from shared.storage.removal import ObjectRemoval, RemovalRefused

_log = logging.getLogger(__name__)

# Who asked for the case again has jobs of its own: what they store stays.
_IS_ASKED_AGAIN: Final = text(
    """
    SELECT EXISTS (
        SELECT FROM catalog.jobs AS j WHERE j.process_number = :number
           AND NOT EXISTS (SELECT FROM catalog.deleted_jobs AS d WHERE d.job_id = j.job_id))
    """
)
_PLANS: Final = removing("source.plans", "process_number = :number OR job_id = ANY (CAST(:jobs AS uuid[]))")


class DeletedCases:
    """Knows the jobs of deleted cases and removes objects and plans. For one event loop."""

    def __init__(self, database: Database, objects: ObjectRemoval) -> None:
        self._database = database
        self._objects = objects

    async def among(self, job_ids: Collection[str]) -> frozenset[str]:
        """Those of these jobs whose case was deleted. Raises InfrastructureAway."""
        return await self._database.autocommit(lambda connection: find_deleted_jobs(connection, job_ids))

    async def clean(self, process_number: str) -> None:
        """Remove what a request of a deleted case may have stored. Raises InfrastructureAway.

        Not when the case was asked for again: nobody begins that while this is at work, since it holds the case.
        """
        try:
            while any((await self._database.run(lambda connection: self._clean(connection, process_number))).values()):
                pass
        except RemovalRefused as refused:
            # The deletion itself meets the same refusal, and goes on when the right is given.
            _log.error("The object store refuses to remove objects of a deleted case", extra={"code": str(refused)})

    def purge(self, connection: Connection, case: DeletedCase) -> Mapping[str, int]:
        """Remove at most a batch of a case's plans and objects. Blocks; the caller commits."""
        lock_case(connection, case.process_number)
        if plans := connection.execute(_PLANS, case.names).rowcount:
            return {"plans": plans}
        return self._objects.of_case(case.process_number)

    def _clean(self, connection: Connection, process_number: str) -> Mapping[str, int]:
        """Remove at most a batch of the case's objects, unless it was asked for again. Blocks; the caller commits."""
        lock_case(connection, process_number)
        if connection.execute(_IS_ASKED_AGAIN, {"number": process_number}).scalar_one():
            return {}
        return self._objects.of_case(process_number)
