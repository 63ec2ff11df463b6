"""SQL of registered endpoints: who wants to hear of a job's end, and what follows when an endpoint was changed.

The api writes ``catalog.webhook_endpoints``; the notifier reads it, and keeps the health of each endpoint in
``delivery.endpoints`` under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, select, text

from services.notifier.domain.delivery import CLAIMABLE
from services.notifier.intake.endpoint_names import add_endpoints, registered_endpoint
from services.notifier.intake.job_locks import locked_jobs
from shared.db.delivery import completions
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json
from shared.domain.secrecy import PUBLIC_LEVEL
from shared.domain.statuses import DeliveryStatus, JobScope
from shared.events.envelope import deterministic_id
from shared.events.webhook_subscribed import CaseAsked, EndpointChanged, EndpointEnableRequested
from shared.webhooks.facts import JobEnded
from shared.webhooks.registry import made_of

# Whose case it is: a client that asked for it. A job about one document, and one of a case that is sealed from the
# client, is told only to those who are on that job: the body then says no more than that the case does not exist.
_INTERESTED_ROWS: Final = f"""
SELECT w.endpoint_id::text, w.client_id, w.url, w.rate, w.events, j.job_id::text, j.process_number, r.sealed
  FROM catalog.jobs AS j
  JOIN catalog.process_requests AS r ON r.process_number = j.process_number
  JOIN catalog.webhook_endpoints AS w ON w.client_id = r.client_id
  LEFT JOIN catalog.processes AS p ON p.process_number = j.process_number
 WHERE j.job_id = ANY (CAST(:jobs AS uuid[])) AND (CAST(:client AS text) IS NULL OR w.client_id = :client)
   AND (w.client_id = j.client_id
        OR EXISTS (SELECT FROM catalog.job_clients AS m WHERE m.job_id = j.job_id AND m.client_id = w.client_id)
        OR (j.scope = '{JobScope.WHOLE_CASE}'
            AND (p.process_number IS NULL OR COALESCE(p.secrecy_level, -1) = {PUBLIC_LEVEL} OR r.sealed)))"""  # noqa: S608
_INTERESTED: Final = PreparedText("notifier_interested", _INTERESTED_ROWS, jobs="text[]", client="text")
# Besides, with no endpoint, the jobs among these whose case was deleted.
_INTERESTED_OR_DELETED: Final = PreparedText(
    "notifier_interested_or_deleted",
    f"""{_INTERESTED_ROWS}
 UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, job_id::text, NULL, NULL
  FROM catalog.deleted_jobs WHERE job_id = ANY (CAST(:all_jobs AS uuid[]))
""",  # noqa: S608
    jobs="text[]",
    client="text",
    all_jobs="text[]",
)
_SUBSCRIBE: Final = text("""
INSERT INTO delivery.subscriptions (subscription_id, job_id, process_number, client_id, url, sealed, endpoint_id,
       event_type, part, created_at)
SELECT subscription_id, job_id, process_number, client_id, url, sealed, endpoint_id, event_type, part, :now
  FROM json_to_recordset(CAST(:rows AS json)) AS r (subscription_id uuid, job_id uuid, process_number text,
       client_id text, url text, sealed bool, endpoint_id uuid, event_type text, part int)
    ON CONFLICT DO NOTHING
""")
_CURRENT: Final = text("""
SELECT endpoint_id::text, client_id, url, rate FROM catalog.webhook_endpoints
 WHERE endpoint_id = ANY (CAST(:ids AS uuid[])) ORDER BY webhook_endpoints.endpoint_id
""")
_KNOWN: Final = text("""
SELECT endpoint_id::text, url FROM delivery.endpoints WHERE endpoint_id = ANY (CAST(:ids AS uuid[]))
 ORDER BY endpoints.endpoint_id FOR UPDATE
""")
_RENAME: Final = text("""
UPDATE delivery.endpoints SET url = :url, origin = :origin, least_seconds = :least_seconds
 WHERE endpoint_id = :endpoint_id
""")
_WITHDRAW: Final = text(f"""
UPDATE delivery.deliveries SET status = '{DeliveryStatus.CANCELLED}', next_attempt_at = NULL, updated_at = :now
 WHERE endpoint_id = ANY (CAST(:ids AS uuid[])) AND status IN ({", ".join(f"'{one}'" for one in CLAIMABLE)})
""")  # noqa: S608


class LockedJobs(NamedTuple):
    """What is known of jobs under their lock: those whose case was deleted, and who may hear of the others' ends."""

    deleted: frozenset[str]
    interested: Sequence[Row[Any]]
    """As of :func:`interested_endpoints`."""


def lock_and_read(connection: Connection, job_ids: Sequence[str], ended: Sequence[str]) -> LockedJobs:
    """Lock jobs (:func:`services.notifier.intake.job_locks.lock_jobs`), then read what is known of them.

    The endpoints are those that may hear of the jobs in ``ended``.
    """
    look = PreparedCall(_INTERESTED_OR_DELETED, {"jobs": list(ended), "client": None, "all_jobs": list(job_ids)})
    rows = run_together(connection, locked_jobs(job_ids), look).all()
    deleted = frozenset(row.job_id for row in rows if row.endpoint_id is None)
    return LockedJobs(deleted, [row for row in rows if row.endpoint_id is not None and row.job_id not in deleted])


def interested_endpoints(connection: Connection, job_ids: Sequence[str], client_id: str | None) -> Sequence[Row[Any]]:
    """The registered endpoints of all clients, or of one, that may hear of these jobs: a row for each job and
    endpoint, with the types of events that it wants.
    """
    return _INTERESTED.run(connection, {"jobs": list(job_ids), "client": client_id}).all()


def subscription_row(row: Any, event_type: str, part: int = 0) -> dict[str, Any]:
    """The subscription of one registered endpoint to one event of a job: the same for a repeat."""
    identity = (row.job_id, row.endpoint_id, event_type, part)
    return {
        "subscription_id": deterministic_id("endpoint-subscription", *identity),
        "job_id": row.job_id,
        "process_number": row.process_number,
        "client_id": row.client_id,
        "url": row.url,
        "sealed": row.sealed,
        "endpoint_id": row.endpoint_id,
        "event_type": event_type,
        "part": part,
    }


def subscribe(connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Write subscriptions of registered endpoints; known ones stay as they are."""
    if rows:
        connection.execute(_SUBSCRIBE, {"rows": as_json(rows), "now": now})


def subscribe_endpoints(
    connection: Connection, ended: Sequence[Any], interested: Sequence[Row[Any]], now: datetime
) -> None:
    """Subscribe endpoints (:func:`interested_endpoints`) to the end of these jobs.

    ``ended`` have the fields of ProcessCompleted.
    """
    if not interested:
        return
    ends = {event.job_id: JobEnded.end(event) for event in ended}
    kinds = made_of(JobEnded)
    subscribe(
        connection,
        [
            subscription_row(row, kind.name)
            for row in interested
            for kind in kinds
            if kind.name in row.events and kind.applies(ends[row.job_id])
        ],
        now,
    )


def subscribe_client(connection: Connection, asked: CaseAsked, now: datetime) -> None:
    """Subscribe a client's endpoints to a job that ended before the client asked for its case, if it has ended."""
    ended = connection.execute(select(completions).where(completions.c.job_id == asked.job_id)).one_or_none()
    if ended is not None:
        subscribe_endpoints(connection, [ended], interested_endpoints(connection, [asked.job_id], asked.client_id), now)


def follow_changes(
    connection: Connection, changed: Sequence[EndpointChanged], now: datetime
) -> list[EndpointEnableRequested]:
    """Make the endpoints as their clients have them now. Those whose URL is another one start anew, as if enabled.

    What was still to be sent to a removed one is cancelled.
    """
    if not changed:
        return []
    ids = sorted({event.endpoint_id for event in changed})
    current = {
        row.endpoint_id: registered_endpoint(row.endpoint_id, row.client_id, row.url, row.rate)
        for row in connection.execute(_CURRENT, {"ids": ids})
    }
    known = {row.endpoint_id: row.url for row in connection.execute(_KNOWN, {"ids": ids})}
    moved = []
    for endpoint_id, before in known.items():
        if (name := current.get(endpoint_id)) is None:
            continue
        parameters = {"endpoint_id": endpoint_id, "url": name.url, "origin": name.origin}
        connection.execute(_RENAME, {**parameters, "least_seconds": name.least_seconds})
        if before != name.url:
            moved.append(EndpointEnableRequested(endpoint_id=endpoint_id, client_id=name.client_id))
    add_endpoints(connection, list(current.values()), now)
    if gone := [endpoint_id for endpoint_id in ids if endpoint_id not in current]:
        connection.execute(_WITHDRAW, {"ids": gone, "now": now})
    return moved
