"""The advisory lock of a job: whoever adds a completion, a subscription or a delivery of the job holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from shared.db.prepared import PreparedCall, PreparedText, run_together

_LOCK_SPACE: Final = 0x6465  # "de": advisory locks on a job's deliveries
_LOCK_JOBS: Final = PreparedText(
    "notifier_lock_jobs",
    """
SELECT count(pg_advisory_xact_lock(:space, number)) FROM (
    SELECT DISTINCT hashtext(job_id) AS number FROM unnest(:jobs) AS job_id ORDER BY number
) AS ordered
""",
    space="int",
    jobs="text[]",
)
# One after the other, each let go before the next is taken: the subquery is a fence, its rows come as they are made.
_PASS_JOBS: Final = text("""
SELECT count(pg_advisory_unlock(:space, number)) FROM (
    SELECT number, pg_advisory_lock(:space, number) FROM (
        SELECT DISTINCT hashtext(job_id) AS number FROM unnest(CAST(:jobs AS text[])) AS job_id) AS jobs OFFSET 0
) AS held
""")


def lock_jobs(connection: Connection, job_ids: Sequence[str]) -> None:
    """Lock the jobs until the transaction ends, in one order, so that two transactions do not lock each other out.

    Who adds a completion, a subscription or a delivery of a job holds its lock.
    """
    run_together(connection, locked_jobs(job_ids))


def locked_jobs(job_ids: Sequence[str]) -> PreparedCall:
    """The statement of :func:`lock_jobs`, to be sent with what is read under the lock."""
    return PreparedCall(_LOCK_JOBS, {"space": _LOCK_SPACE, "jobs": sorted(set(job_ids))})


def wait_for_jobs(connection: Connection, job_ids: Sequence[str]) -> None:
    """Return when every transaction that holds one of these jobs now has ended. Holds none of them, however many."""
    connection.execute(_PASS_JOBS, {"space": _LOCK_SPACE, "jobs": list(job_ids)})
