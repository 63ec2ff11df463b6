"""The LISTEN/NOTIFY channels: names, and a thread that listens and reconnects."""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg2
import psycopg2.extensions

from shared.db.engine import UNTIL_CUT_OFF, end_when_cut_off

OUTBOX: Final = "autos_outbox"
"""An outbox has new rows; the payload is its schema."""

PROGRESS: Final = "autos_progress"
"""A job or one of its documents changed; the payload is the process number with its mask."""

FEED: Final = "autos_feed"
"""A client has new events; the payload is its id."""

NOTIFY_LATER: Final = "set_config('autos.notify', 'later', true)"
"""In a statement that writes into an outbox: the trigger does not notify, whoever commits does so afterwards.

PostgreSQL commits transactions that notify one at a time, each with its wait for the disk.
"""

_log = logging.getLogger(__name__)


class Listener:
    """A thread with a connection of its own that calls ``on_notify(payload)`` for a channel, in that thread.

    When it begins to listen, and after a lost connection, it calls ``on_notify(None)``: something may have been missed.
    A notification is a hint and may be lost; whoever listens looks again by itself from time to time.
    """

    def __init__(self, url: str, channel: str, on_notify: Callable[[str | None], None]) -> None:
        self._url = url.replace("postgresql+psycopg2://", "postgresql://", 1)
        self._channel = channel
        self._on_notify = on_notify
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"listen-{channel}", daemon=True)

    def start(self) -> None:
        """Begin to listen. Call once; returns before the connection is there."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it has ended (within about a second)."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        away = False
        while not self._stopping.is_set():
            try:
                self._listen()
                away = False
            except psycopg2.Error:
                if not away:
                    _log.warning(
                        "The listening connection is lost and is dialled again", extra={"channel": self._channel}
                    )
                away = True
                self._stopping.wait(1.0)

    def _listen(self) -> None:
        name = f"autos-listen-{self._channel}"
        options: Mapping[str, Any] = {"application_name": name, "connect_timeout": 5, **UNTIL_CUT_OFF}
        connection = psycopg2.connect(self._url, **options)
        try:
            end_when_cut_off(connection)
            connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
            with connection.cursor() as cursor:
                cursor.execute(f'LISTEN "{self._channel}"')
            self._on_notify(None)
            while not self._stopping.is_set():
                if not select.select([connection], [], [], 0.5)[0]:
                    continue
                connection.poll()
                while connection.notifies:
                    self._on_notify(connection.notifies.pop(0).payload)
        finally:
            connection.close()
