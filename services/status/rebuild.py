"""Rebuild the projection from document.events into new tables and swap them in one transaction, beside the live worker.

The new tables live in the schema ``progress_new`` until the swap. Most of the topic is read while the live worker
goes on; the last stretch is read under a lock that makes the live worker wait, so that the new tables know all that
the old ones know. Where the topic no longer has the oldest events, the rows of their
jobs are carried over. Nothing is announced twice: an end that the old tables had is not announced again, and one that
the live worker had not reached yet gets its outbox row with the swap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, MetaData, func, or_, select, text, update
from sqlalchemy.schema import CreateSchema, DropSchema

from services.status.batch_writer import decode_all
from services.status.projection.apply import Projection, announce, find_references
from services.status.projection.deletion_rows import leave_out_deleted
from services.status.projection.project import completion
from services.status.projection.rows import JobRow, Occurrence
from services.status.projection.statements import NOTIFY, REBUILD_LOCK
from services.status.replay import Replay
from shared.clock import Clock, utc_now
from shared.db import progress
from shared.db.channels import PROGRESS
from shared.db.engine import make_engine
from shared.db.errors import ErrorKind, kind_of
from shared.db.tables import METADATA
from shared.events.process_completed import ProcessCompleted
from shared.events.topics import DOCUMENT_EVENTS
from shared.records import Record

NEW_SCHEMA: Final = "progress_new"
_TABLES: Final = (progress.jobs, progress.job_documents, progress.documents)
_NEW: Final = MetaData(naming_convention=METADATA.naming_convention)
_NEW_TABLES: Final = tuple(table.to_metadata(_NEW, schema=NEW_SCHEMA) for table in _TABLES)
_LOCK_SECONDS: Final = 30
_MARGIN: Final = timedelta(hours=1)
"""The clocks of services and broker may differ by so much, and a job's first event may come so late."""
_UNKNOWN_JOBS: Final = text(
    f"""
    SELECT count(*) FROM catalog.jobs AS j
     WHERE j.created_at < :before AND NOT j.active AND j.cancelled_at IS NULL
       AND NOT EXISTS (SELECT FROM {NEW_SCHEMA}.jobs AS n WHERE n.job_id = j.job_id)
    """  # noqa: S608 - our own schema
)


class RebuildRefused(Exception):
    """The new tables would know less than the old ones; nothing was changed."""


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did. ``announced`` are the ends that the live worker had not reached."""

    events: int
    skipped: int
    """Records that are no events, or that no table can hold; the live worker has them as dead letters."""
    jobs: int
    documents: int
    announced: int
    carried: int = 0
    """Jobs that are older than the topic's oldest events: their rows are those of the old tables."""


def rebuild(
    owner_url: str,
    bootstrap_servers: str,
    *,
    kafka_config: Mapping[str, Any] | None = None,
    topic: str = DOCUMENT_EVENTS,
    clock: Clock = utc_now,
    on_progress: Callable[[int], None] = lambda _events: None,
    public_url: str | None = None,
) -> Rebuilt:
    """Rebuild and swap, beside the live worker, which waits for the last stretch alone. Blocks until it is done.

    ``owner_url`` is the owner of the tables; ``on_progress`` gets the events read so far. Two at once would drop each
    other's tables: run one.

    Raises RebuildRefused when a job of the old tables is not in the topic (its events have been deleted), and
    InfrastructureAway. After an exception everything is as it was.
    """
    engine = make_engine(owner_url, application_name="autos-rebuild", pool_size=1)
    try:
        with closing(Replay(bootstrap_servers, kafka_config or {}, topic)) as replay:
            return _Rebuild(engine, replay, clock, on_progress, public_url).run()
    finally:
        engine.dispose()


class _Rebuild:
    """One run; counts as it goes."""

    def __init__(
        self,
        engine: Engine,
        replay: Replay,
        clock: Clock,
        on_progress: Callable[[int], None],
        public_url: str | None,
    ) -> None:
        self._engine = engine
        self._replay = replay
        self._clock = clock
        self._on_progress = on_progress
        self._public_url = public_url
        self._projection = Projection(NEW_SCHEMA, announce=False)
        self._carried = 0
        self._events = 0
        self._skipped = 0

    def run(self) -> Rebuilt:
        """Fill the new tables and swap them in; drop what is left of them in any case."""
        with self._engine.begin() as connection:
            connection.execute(DropSchema(NEW_SCHEMA, cascade=True, if_exists=True))
            connection.execute(CreateSchema(NEW_SCHEMA))
            _NEW.create_all(connection)
        horizon = self._replay.horizon()
        if horizon is not None:
            with self._engine.begin() as connection:
                self._carried = _carry_over(connection, horizon + _MARGIN)
        try:
            # While the live worker goes on: all that is there now.
            for records in self._replay.read_to_end():
                with self._engine.begin() as connection:
                    self._apply(connection, records)
            return self._catch_up_and_swap(horizon)
        finally:
            with self._engine.begin() as connection:
                connection.execute(DropSchema(NEW_SCHEMA, cascade=True, if_exists=True))

    def _catch_up_and_swap(self, horizon: datetime | None) -> Rebuilt:
        with self._engine.begin() as connection:
            # From here on the live worker waits: what it has committed is visible, and is in the topic.
            connection.execute(select(func.pg_advisory_xact_lock(REBUILD_LOCK)))
            for records in self._replay.read_to_end():
                self._apply(connection, records)
            leave_out_deleted(connection, NEW_SCHEMA)
            _refuse_losses(connection, horizon)
            _keep_versions(connection)
            ends = _ends_not_announced(connection)
            announce(connection, ends, self._clock(), self._public_url, find_references(connection, ends))
            _swap(connection)
            _notify(connection, ends)
            jobs, documents = (
                int(connection.execute(select(func.count()).select_from(table)).scalar_one())
                for table in (progress.jobs, progress.documents)
            )
        return Rebuilt(self._events, self._skipped, jobs, documents, len(ends), self._carried)

    def _apply(self, connection: Connection, records: Sequence[Record]) -> None:
        occurrences, rejected = decode_all(records)
        self._skipped += len(rejected)
        self._apply_storable(connection, occurrences)
        self._on_progress(self._events)

    def _apply_storable(self, connection: Connection, occurrences: Sequence[Occurrence]) -> None:
        """As the live worker does: an event that cannot be stored is left out, found by halving."""
        try:
            with connection.begin_nested():
                self._projection.apply(connection, occurrences, self._clock())
        # As there: whatever it is but the database away, one of these events is at fault.
        except Exception as error:
            if kind_of(error) in {ErrorKind.AWAY, ErrorKind.CONFLICT}:
                raise
            if len(occurrences) == 1:
                self._skipped += 1
                return
            middle = len(occurrences) // 2
            self._apply_storable(connection, occurrences[:middle])
            self._apply_storable(connection, occurrences[middle:])
        else:
            self._events += len(occurrences)


def _carry_over(connection: Connection, before: datetime) -> int:
    """Begin with the old tables' rows of jobs that may have events before ``before``; how many jobs.

    The rows are their own snapshot (docs/adr/0040-projection-without-all-events.md): an event that is still there is
    folded over them and changes nothing, since it is in them already.
    """
    old, documents = progress.jobs, progress.documents
    moments = (old.c.created_at, old.c.started_at, old.c.planned_at, old.c.completed_at)
    first = func.coalesce(func.least(*moments), text("'-infinity'::timestamptz"))
    jobs = select(old.c.job_id).where(first < before)
    for table, chosen in (
        (old, first < before),
        (progress.job_documents, progress.job_documents.c.job_id.in_(jobs)),
        (documents, documents.c.job_id.in_(jobs)),
    ):
        names = [column.name for column in table.columns]
        new = _NEW_TABLES[_TABLES.index(table)]
        connection.execute(new.insert().from_select(names, select(*(table.c[name] for name in names)).where(chosen)))
    return int(connection.execute(select(func.count()).select_from(_NEW_TABLES[0])).scalar_one())


def _refuse_losses(connection: Connection, horizon: datetime | None) -> None:
    """Where the topic is cut, a job that the catalog has and neither the old tables nor the topic is a loss too."""
    if horizon is not None:
        unknown = connection.execute(_UNKNOWN_JOBS, {"before": horizon - _MARGIN}).scalar_one()
        if unknown:
            raise RebuildRefused(
                f"the topic begins at {horizon:%Y-%m-%d %H:%M} UTC, and the tables lack {unknown} older jobs:"
                " restore the schema progress from a backup first"
            )
    old, new = progress.jobs, _NEW_TABLES[0]
    lost = select(func.count()).select_from(old).where(~select(new).where(new.c.job_id == old.c.job_id).exists())
    count = connection.execute(lost).scalar_one()
    if count:
        raise RebuildRefused(f"{count} jobs of the projection have no events in the topic any more")


def _keep_versions(connection: Connection) -> None:
    """A client's ETag never comes again for something else."""
    old, new = progress.jobs, _NEW_TABLES[0]
    connection.execute(
        update(new)
        .where(new.c.job_id == old.c.job_id, new.c.version < old.c.version)
        .values(version=old.c.version)
        .execution_options(synchronize_session=False)
    )


def _ends_not_announced(connection: Connection) -> list[ProcessCompleted]:
    old, new = progress.jobs, _NEW_TABLES[0]
    statement = (
        select(*(new.c[name] for name in JobRow._fields))
        .join(old, old.c.job_id == new.c.job_id, isouter=True)
        .where(new.c.completed_at.is_not(None), or_(old.c.job_id.is_(None), old.c.completed_at.is_(None)))
        .order_by(new.c.completed_at, new.c.job_id)
    )
    return [completion(JobRow(**row)) for row in connection.execute(statement).mappings()]


def _swap(connection: Connection) -> None:
    """The new tables under the old names, with the old ones' grants."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
    for old, new in zip(_TABLES, _NEW_TABLES, strict=True):
        grants = connection.execute(
            text(
                "SELECT privilege_type, CASE grantee WHEN 'PUBLIC' THEN grantee ELSE quote_ident(grantee) END"
                " FROM information_schema.role_table_grants"
                " WHERE table_schema = :schema AND table_name = :name"
            ),
            {"schema": old.schema, "name": old.name},
        ).all()
        for privilege, grantee in grants:
            connection.execute(text(f"GRANT {privilege} ON {new.fullname} TO {grantee}"))
        connection.execute(text(f"DROP TABLE {old.fullname}"))
        connection.execute(text(f"ALTER TABLE {new.fullname} SET SCHEMA {old.schema}"))


def _notify(connection: Connection, ends: Sequence[ProcessCompleted]) -> None:
    """Wake whoever follows a case that goes on, or that has ended just now."""
    active = select(progress.jobs.c.process_number).where(progress.jobs.c.completed_at.is_(None)).distinct()
    numbers = {row.process_number for row in connection.execute(active)} | {end.process_number for end in ends}
    NOTIFY.run(connection, {"channel": PROGRESS, "processes": sorted(numbers)})
