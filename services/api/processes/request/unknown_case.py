"""A case that nobody has asked for yet: told by a quarter of the work that reading what is stored takes.

Most first requests are for such a case, and there is nothing to be decided by: they look twice, before the source is
read and again under the case's lock, and each time it is enough to know that there is still nothing. Those that look
at the same moment share the first look.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from services.api.access.rate_limit import Allowance
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.decisions import StoredCase
from services.api.processes.request.snapshot import CaseSnapshot
from services.api.processes.view.version import CaseVersion
from shared.concurrency.batcher import Batcher
from shared.db.case_store import locked_case
from shared.db.engine import Database
from shared.db.prepared import PreparedCall, PreparedText, run_together

_MOST: Final = 200

# OFFSET 0 has each number looked up by itself: the server would join all cases with the numbers otherwise, while there
# are few of them.
_LOOK: Final = PreparedText(
    "autos_unknown_case",
    """
    SELECT number FROM unnest(:numbers) AS number
     WHERE NOT EXISTS (SELECT FROM catalog.processes WHERE process_number = number OFFSET 0)
       AND NOT EXISTS (SELECT FROM catalog.jobs WHERE process_number = number OFFSET 0)
       AND NOT EXISTS (SELECT FROM catalog.case_deletions WHERE process_number = number OFFSET 0)
    """,
    numbers="text[]",
)


class UnknownCases:
    """Tells whether nothing is known of a case: for all who ask at the same moment by one statement. For one event
    loop.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher: Batcher[str, bool] = Batcher(self._look, most=_MOST)

    async def has(self, request: CaseRequest) -> bool:
        """Whether there is neither a case, nor a job, nor an order to delete it that is not carried out yet.

        It is not asked for a document, which is one of a case that the client has seen, nor for many cases at once,
        whose reading depends on how the client's limit stands. Raises InfrastructureAway.
        """
        return request.document_id is None and not request.defer and await self._batcher.submit(str(request.number))

    async def _look(self, numbers: Sequence[str]) -> list[bool]:
        return await self._database.autocommit(partial(_are_unknown, numbers=numbers))


def _are_unknown(connection: Connection, numbers: Sequence[str]) -> list[bool]:
    unknown = frozenset(run_together(connection, _look(numbers)).scalars())
    return [number in unknown for number in numbers]


def hold_unknown(
    connection: Connection, request: CaseRequest, allowance: Allowance | None, now: datetime
) -> CaseSnapshot | None:
    """Hold the case until the transaction ends (:func:`shared.db.case_store.lock_case`): the snapshot of it while it is
    still unknown, else None.

    ``allowance`` is what the client has left once it was charged; without (another client's read serves this one) the
    case is not held, and what is stored has to be read.
    """
    if allowance is None:
        return None
    look = _look([str(request.number)])
    if run_together(connection, locked_case(request.number), look).scalar() is None:
        return None
    return CaseSnapshot(
        StoredCase(None, None, asked_before=False),
        CaseVersion(None, jobs=0, newest=None, cancelled=0, versions=0, ended=True),
        noted_at=None,
        asked_sealed=False,
        has_sealed_documents=False,
        tat=allowance.tat,
        now=now,
    )


def _look(numbers: Sequence[str]) -> PreparedCall:
    return PreparedCall(_LOOK, {"numbers": list(numbers)})
