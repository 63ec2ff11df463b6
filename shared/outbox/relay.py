"""The relay: one thread a service that publishes its outbox in order and marks what the broker has acknowledged.

Only one relay of a schema works at a time, whatever the number of replicas: it holds a session advisory lock on
the connection that it reads with, so a relay that dies or loses its connection loses the lock with it. A crash
between the acknowledgement and the mark publishes the batch again with the same ``ce_id`` (at least once).
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, Table, delete, func, select, text
from sqlalchemy.exc import DBAPIError

from shared.clock import Clock, utc_now
from shared.db.channels import OUTBOX, Listener
from shared.kafka.failures import ProducerFailed
from shared.outbox.metrics import OutboxMetrics
from shared.outbox.publishing import LOOK_EVERY_SECONDS, PATIENCE_SECONDS, Publisher, Publishing
from shared.outbox.rows import OutboxRow, OutboxRows, may_be_cut
from shared.outbox.write import write
from shared.records import OutgoingRecord
from shared.tracing.records import publish_span

_log = logging.getLogger(__name__)

_PURGE_EVERY: Final = timedelta(minutes=10)
_MEASURE_EVERY_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class RelayLimits:
    """The numbers of one relay. Times are in seconds unless they are a timedelta."""

    batch_size: int = 500
    """Rows that are published together at most."""
    poll_seconds: float = 1.0
    """Between two looks at the outbox when no notification comes: one can be lost."""
    gather_seconds: float = 0.0
    """The least time between two looks that are not full. Under load many rows share a round trip, and the first
    after a pause goes at once."""
    send_timeout: float = 30.0
    """How long the broker may take to acknowledge a batch."""
    keep: timedelta = timedelta(days=2)
    """How long published rows stay."""
    patience_seconds: float = PATIENCE_SECONDS
    """After this long a missing topic that is none of ours is given up (publishing.py)."""
    look_seconds: float = LOOK_EVERY_SECONDS
    """Between two looks at a topic that is away."""


@dataclass(frozen=True)
class RelayHooks:
    """What a service does at the events of its relay; called in the relay's thread, so they must not block for long."""

    on_set_aside: Callable[[OutboxRow, str], Sequence[OutgoingRecord]] | None = None
    """Makes the records that follow from a row that is set aside, of the row and the reason."""
    on_published: Callable[[int], None] | None = None
    """Gets the number of rows of each batch that the broker has acknowledged."""
    on_unusable: Callable[[], None] | None = None
    """The producer can never send again. None: the process ends, and its supervisor starts it again."""


_NO_HOOKS: Final = RelayHooks()


class OutboxRelay:
    """Publishes the rows of one outbox table, from its own thread, until ``stop``.

    Every replica of a service has one; the advisory lock lets one of them work and the others stand by. It takes one
    connection of ``engine``'s pool, and has another of its own to listen. An outage of the database or the broker is
    logged once, and tried again every ``poll_seconds``; rows are never lost by it.
    """

    def __init__(
        self,
        engine: Engine,
        outbox: Table,
        publisher: Publisher,
        limits: RelayLimits | None = None,
        *,
        clock: Clock = utc_now,
        metrics: OutboxMetrics | None = None,
        hooks: RelayHooks = _NO_HOOKS,
    ) -> None:
        limits = limits or RelayLimits()
        self._engine = engine
        self._outbox = outbox
        self._rows = OutboxRows(outbox)
        self._publishing = Publishing(
            publisher,
            send_timeout=limits.send_timeout,
            patience_seconds=limits.patience_seconds,
            look_seconds=limits.look_seconds,
        )
        self._metrics = metrics
        self._batch_size = limits.batch_size
        self._poll_seconds = limits.poll_seconds
        self._gather_seconds = limits.gather_seconds
        self._send_timeout = limits.send_timeout
        self._keep = limits.keep
        self._clock = clock
        self._on_published = hooks.on_published
        self._on_set_aside = hooks.on_set_aside
        self._on_unusable = hooks.on_unusable or _end_process
        self._lock_id = zlib.crc32(f"autos-outbox-{outbox.schema}".encode())
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outbox-{outbox.schema}", daemon=True)
        url = engine.url.render_as_string(hide_password=False)
        self._listener = Listener(url, OUTBOX, self._on_notify)
        self._next_purge: datetime | None = None
        self._next_measure = 0.0
        self.looks = 0
        """How many times the outbox was looked through to its end."""

    def start(self) -> None:
        """Begin to listen and to publish. Call once."""
        self._listener.start()
        self._thread.start()

    def wake(self) -> None:
        """Look at the outbox now: this process has just committed rows. From any thread; returns at once."""
        self._woken.set()

    def stop(self) -> None:
        """Publish what is committed already, once more, and end the thread. Blocks for ``send_timeout`` + 5 seconds at
        most.
        """
        self._stopping.set()
        self._woken.set()
        self._thread.join(timeout=self._send_timeout + 5)
        self._listener.stop()

    def _on_notify(self, payload: str | None) -> None:
        if payload is None or payload == self._outbox.schema:
            self._woken.set()

    def _run(self) -> None:
        complained = False
        while not self._stopping.is_set():
            try:
                # Each statement commits by itself: a look and its marks have nothing that must be done together.
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._hold(connection)
                complained = False
            except ProducerFailed:
                _log.error(
                    "The outbox relay's producer is unusable, the process ends and starts again",
                    extra={"schema": self._outbox.schema},
                )
                self._on_unusable()
                return
            # The edge of a thread: whatever it is, the rows stay and the relay tries again.
            except Exception as error:  # noqa: BLE001
                if not complained:
                    _log.warning(
                        "The outbox relay is interrupted and tries again",
                        extra={"schema": self._outbox.schema, "error": type(error).__name__},
                    )
                complained = True
                self._stopping.wait(self._poll_seconds)

    def _hold(self, connection: Connection) -> None:
        """Work while this connection holds the lock; return when another relay has it or at the stop."""
        locked = connection.execute(select(func.pg_try_advisory_lock(self._lock_id))).scalar_one()
        connection.commit()
        if not locked:
            self._measure(connection)
            self._stopping.wait(self._poll_seconds)
            return
        # The marks are not waited for on the disk: one that a crash of the database takes back means that its row is
        # published again, as after a crash between the acknowledgement and the mark.
        connection.execute(text("SET synchronous_commit = off"))
        try:
            while True:
                stopping = self._stopping.is_set()
                began = time.monotonic()
                self._woken.clear()
                # Before, too: with the broker away nothing is published, and just then it must show.
                self._measure(connection)
                while self._publish_batch(connection):
                    pass
                if stopping:
                    return
                self._measure(connection)
                self._purge(connection)
                self.looks += 1
                self._woken.wait(self._poll_seconds)
                self._stopping.wait(max(0.0, began + self._gather_seconds - time.monotonic()))
        finally:
            self._unlock(connection)

    def _publish_batch(self, connection: Connection) -> bool:
        """Publish the oldest rows not yet published; whether there may be more. Raises InfrastructureAway."""
        rows = self._rows.read(connection, self._batch_size, self._publishing.held)
        if not rows:
            return False
        with publish_span(str(self._outbox.schema), [row.headers for row in rows]):
            done = self._publishing.publish(rows)
        now = self._clock()
        if done.acknowledged:
            self._rows.mark_published(connection, done.acknowledged, now)
        for row in rows:
            if row.seq in done.refused:
                # What follows from it is written with it, or neither.
                with self._engine.begin() as apart:
                    self._set_aside(apart, row, done.refused[row.seq], now)
        if self._on_published is not None and done.acknowledged:
            self._on_published(len(done.acknowledged))
        if done.away is not None:
            raise done.away
        return may_be_cut(rows, self._batch_size)

    def _set_aside(self, connection: Connection, row: OutboxRow, reason: str, now: datetime) -> None:
        if not self._rows.set_aside(connection, row.seq, reason, now):
            return
        _log.error(
            "Event set aside, the broker will never take it; replay it when its cause is mended",
            extra={"schema": self._outbox.schema, "seq": row.seq, "type": row.type[:100], "reason": reason},
        )
        if self._metrics is not None:
            self._metrics.set_aside.labels(self._outbox.schema, reason).inc()
        try:
            follow = self._on_set_aside(row, reason) if self._on_set_aside is not None else ()
        # What follows is made of the row, which may hold anything; that it is set aside must be kept all the same.
        except Exception as error:  # noqa: BLE001
            fields = {"schema": self._outbox.schema, "seq": row.seq, "error": type(error).__name__}
            _log.warning("No end can be made for what waits for an event set aside", extra=fields)
            return
        write(connection, self._outbox, follow, now=now)

    def _measure(self, connection: Connection) -> None:
        if self._metrics is None or time.monotonic() < self._next_measure:
            return
        self._next_measure = time.monotonic() + _MEASURE_EVERY_SECONDS
        self._metrics.show(str(self._outbox.schema), self._rows.waiting(connection))
        connection.commit()

    def _purge(self, connection: Connection) -> None:
        now = self._clock()
        if self._next_purge is not None and now < self._next_purge:
            return
        self._next_purge = now + _PURGE_EVERY
        connection.execute(delete(self._outbox).where(self._outbox.c.published_at < now - self._keep))
        connection.commit()

    def _unlock(self, connection: Connection) -> None:
        try:
            connection.rollback()
            connection.execute(select(func.pg_advisory_unlock(self._lock_id)))
            connection.execute(text("RESET synchronous_commit"))
            connection.commit()
        except DBAPIError:
            # The connection is broken, and the lock went with it; the pool must not hand it out again.
            connection.invalidate()


def _end_process() -> None:
    """An orderly end: whoever supervises the process starts it again, with a new producer."""
    os.kill(os.getpid(), signal.SIGTERM)
