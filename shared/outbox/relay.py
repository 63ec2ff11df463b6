"""The relay: one thread a service that publishes its outbox in order and marks rows after the broker's word.

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
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, Table, delete, func, select
from sqlalchemy.exc import DBAPIError

from shared.clock import Clock, utc_now
from shared.db.channels import OUTBOX, Listener
from shared.kafka.producer import ProducerFailed
from shared.kafka.records import OutgoingRecord

_log = logging.getLogger(__name__)

_PURGE_EVERY: Final = timedelta(minutes=10)


class Publisher(Protocol):
    """What the relay needs of a producer."""

    def send_blocking(self, records: Sequence[OutgoingRecord], timeout: float) -> None:
        """Write the records in order and return when the broker has acknowledged every one."""


class OutboxRelay:
    """Publishes the rows of one outbox table.

    ``poll_seconds`` is the fallback when a notification is lost; ``gather_seconds`` is the least time between two
    looks that are not full, so that under load many rows share a round trip, while the first after a pause goes at
    once; ``keep`` is how long published rows stay;
    ``on_unusable`` is called when the producer can never send again, and ends the process unless given.
    """

    def __init__(
        self,
        engine: Engine,
        outbox: Table,
        publisher: Publisher,
        *,
        batch_size: int = 500,
        poll_seconds: float = 1.0,
        gather_seconds: float = 0.0,
        send_timeout: float = 30.0,
        keep: timedelta = timedelta(days=2),
        clock: Clock = utc_now,
        on_published: Callable[[int], None] | None = None,
        on_unusable: Callable[[], None] | None = None,
    ) -> None:
        self._engine = engine
        self._outbox = outbox
        self._publisher = publisher
        self._batch_size = batch_size
        self._poll_seconds = poll_seconds
        self._gather_seconds = gather_seconds
        self._send_timeout = send_timeout
        self._keep = keep
        self._clock = clock
        self._on_published = on_published
        self._on_unusable = on_unusable or _end_process
        # Built once: under load they run a few times a second for a batch each.
        self._read = f"""
        SELECT seq, aggregatetype, aggregateid, payload, headers FROM {outbox.fullname}
         WHERE published_at IS NULL ORDER BY seq LIMIT %(most)s
        """  # noqa: S608 - the name of one of our own tables
        self._mark = f"UPDATE {outbox.fullname} SET published_at = %(at)s WHERE seq = ANY (%(seqs)s)"  # noqa: S608
        self._lock_id = zlib.crc32(f"autos-outbox-{outbox.schema}".encode())
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outbox-{outbox.schema}", daemon=True)
        url = engine.url.render_as_string(hide_password=False)
        self._listener = Listener(url, OUTBOX, self._on_notify)
        self._next_purge: datetime | None = None

    def start(self) -> None:
        self._listener.start()
        self._thread.start()

    def wake(self) -> None:
        """Look at the outbox now: this process has just committed rows."""
        self._woken.set()

    def stop(self) -> None:
        """Publish what is committed already, once more, and end the thread."""
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
                with self._engine.connect() as connection:
                    self._hold(connection)
                complained = False
            except ProducerFailed:
                _log.error("outbox relay's producer is unusable", extra={"schema": self._outbox.schema})
                self._on_unusable()
                return
            # The edge of a thread: whatever it is, the rows stay and the relay tries again.
            except Exception as error:  # noqa: BLE001
                if not complained:
                    _log.warning(
                        "outbox relay interrupted, trying again",
                        extra={"schema": self._outbox.schema, "error": type(error).__name__},
                    )
                complained = True
                self._stopping.wait(self._poll_seconds)

    def _hold(self, connection: Connection) -> None:
        """Work while this connection holds the lock; return when another relay has it or at the stop."""
        locked = connection.execute(select(func.pg_try_advisory_lock(self._lock_id))).scalar_one()
        connection.commit()
        if not locked:
            self._stopping.wait(self._poll_seconds)
            return
        try:
            while True:
                stopping = self._stopping.is_set()
                began = time.monotonic()
                self._woken.clear()
                while self._publish_batch(connection) == self._batch_size:
                    pass
                if stopping:
                    return
                self._purge(connection)
                self._woken.wait(self._poll_seconds)
                self._stopping.wait(max(0.0, began + self._gather_seconds - time.monotonic()))
        finally:
            self._unlock(connection)

    def _publish_batch(self, connection: Connection) -> int:
        """Publish the oldest rows not yet published; the number of them."""
        rows = connection.exec_driver_sql(self._read, {"most": self._batch_size}).all()
        # No transaction stays open while the broker is waited for.
        connection.commit()
        if not rows:
            return 0
        self._publisher.send_blocking([_record(row) for row in rows], self._send_timeout)
        connection.exec_driver_sql(self._mark, {"at": self._clock(), "seqs": [row.seq for row in rows]})
        connection.commit()
        if self._on_published is not None:
            self._on_published(len(rows))
        return len(rows)

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
            connection.commit()
        except DBAPIError:
            # The connection is broken, and the lock went with it; the pool must not hand it out again.
            connection.invalidate()


def _end_process() -> None:
    """An orderly end: whoever supervises the process starts it again, with a new producer."""
    os.kill(os.getpid(), signal.SIGTERM)


def _record(row: Any) -> OutgoingRecord:
    return OutgoingRecord(
        topic=row.aggregatetype,
        key=row.aggregateid.encode(),
        value=row.payload.encode(),
        headers={name: value.encode() for name, value in row.headers.items()},
    )
