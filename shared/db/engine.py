"""Transactions: the one place where an engine is made, a transaction begins and ends, and threads are used.

The edge that got the message or the request calls :meth:`Database.run` (from a coroutine) or
:meth:`Database.transaction` (from a thread); inner code takes the connection and never commits.
"""

from __future__ import annotations

import asyncio
import random
import select
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeVar

import orjson
import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.db.errors import DatabaseConflict, as_ours
from shared.db.prepared import plan_once

T = TypeVar("T")

_CONNECT_TIMEOUT_SECONDS = 5
_PORT = 5432
UNTIL_CUT_OFF: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's parameters (s, s, probes, ms) by which a connection to a server that was cut off ends: within 10 s when
something was sent, within 25 s when it is idle."""
_AT_THE_SERVER: Final = (
    f"SET tcp_keepalives_idle = {UNTIL_CUT_OFF['keepalives_idle']};"
    f"SET tcp_keepalives_interval = {UNTIL_CUT_OFF['keepalives_interval']};"
    f"SET tcp_keepalives_count = {UNTIL_CUT_OFF['keepalives_count']};"
    f"SET tcp_user_timeout = {UNTIL_CUT_OFF['tcp_user_timeout']}"
)
_POOL_WAIT_SECONDS = 30
_CONFLICTS = 2
_CONFLICT_SECONDS = 0.02


def _dumps(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


def engine_url(url: str) -> URL:
    """libpq's form of an address as SQLAlchemy's: several ``HOST:PORT`` separated by commas are hosts of the query.

    ``postgresql://USER:PASSWORD@A:5432,B:5432/NAME?target_session_attrs=read-write`` is whichever of A and B is the
    primary (PostgreSQL's documentation, "Specifying Multiple Hosts"). Raises ValueError for what is no address.
    """
    scheme, mark, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    login, at, hosts = place.rpartition("@")
    driver = "postgresql+psycopg2" if scheme == "postgresql" else scheme
    if "," not in hosts:
        return make_url(f"{driver}{mark}{rest}")
    one = make_url(f"{driver}{mark}{login}{at}{slash}{path}")
    return one.update_query_dict({"host": [_with_port(host) for host in hosts.split(",")]}, append=True)


def _with_port(host: str) -> str:
    return host if ":" in host else f"{host}:{_PORT}"


def make_engine(url: str, *, application_name: str, pool_size: int = 10) -> Engine:
    """An engine over psycopg2 whose pool drops connections that the server closed. Times are in UTC."""
    engine = create_engine(
        engine_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        # The connection that was used last: with few at work, few of the server's processes have all plans and caches.
        pool_use_lifo=True,
        # What a row holds is nobody's business in a log.
        hide_parameters=True,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        connect_args={
            "application_name": application_name,
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "options": "-c timezone=UTC",
            **UNTIL_CUT_OFF,
        },
    )
    event.listen(engine, "connect", lambda connection, _record: end_when_cut_off(connection))
    event.listen(engine, "checkout", _leave_out_the_dead)
    event.listen(engine, "checkin", _forget_modes)
    return engine


def end_when_cut_off(connection: Any) -> None:
    """Have the server end a session whose client was cut off, as soon as the client does. Raises psycopg2.Error.

    Linux waits two hours otherwise, and so long the session keeps its locks: a relay's, a row's. Statements and not the
    ``options`` of a connection, which a pooler may refuse.
    """
    with connection.cursor() as cursor:
        cursor.execute(_AT_THE_SERVER)
    connection.commit()


def _leave_out_the_dead(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool dial anew, before it hands it out, a connection that the server closed while it lay idle.

    A ping at every checkout would cost a round trip each time. An idle connection has nothing to say: when its socket
    can be read, the server has closed it (a restart, a kill, a time-out of the keepalives) or has sent a notice, and
    only then it is asked. Raises DisconnectionError, which the pool understands.
    """
    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN)
    except psycopg2.Error as error:
        raise DisconnectionError from error
    if not poll.poll(0):
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error as error:
        raise DisconnectionError from error


def _forget_modes(connection: Any, _record: object) -> None:
    """Leave a connection that goes back to the pool without an isolation level or read-only mode of its own.

    SQLAlchemy sets the server's own level instead, by name. psycopg2 then sends ``SET default_transaction_isolation TO
    DEFAULT`` each time that the connection leaves autocommit, and another ``SET`` after a read-only snapshot: two or
    three round trips for nothing in each request. Outside of a transaction and of autocommit this sends nothing.
    """
    # None: the connection was lost and has been dropped.
    if connection is None or connection.closed or connection.autocommit:
        return
    connection.isolation_level = None
    connection.readonly = None


@contextmanager
def _our_errors() -> Iterator[None]:
    """Raises an error of the database as DatabaseAway, DatabaseConflict or DatabaseRefused; any other as it is."""
    try:
        yield
    except (DBAPIError, psycopg2.Error, PoolTimeout, ValueError) as error:
        ours = as_ours(error)
        if ours is None:
            raise
        raise ours from error


def _retried(transaction: Callable[[], AbstractContextManager[Connection]], work: Callable[[Connection], T]) -> T:
    """``work`` in a transaction, and in another one after a conflict, at most twice more."""
    for tried in range(_CONFLICTS):
        try:
            with transaction() as connection:
                return work(connection)
        except DatabaseConflict:
            # The threads of two transactions that met come back at different moments.
            time.sleep(random.uniform(0.5, 1.0) * _CONFLICT_SECONDS * 2**tried)  # noqa: S311
    with transaction() as connection:
        return work(connection)


class Database:
    """A connection pool and a thread for each of its connections.

    The coroutines of one event loop may call it at once; as many work as there are threads, the others wait. A
    connection that cannot be had within 30 seconds is DatabaseAway. ``beside`` is another pool of as many connections,
    for :meth:`aside`: were it the same, or smaller, threads that hold a case's lock would wait there for one another.
    """

    def __init__(self, engine: Engine, *, threads: int = 10, beside: Engine | None = None) -> None:
        self.engine = engine
        self._beside = beside
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="database")

    @classmethod
    def connect(cls, url: str, *, application_name: str, pool_size: int = 10, beside: bool = False) -> Database:
        """A database of ``pool_size`` connections and, with ``beside``, another for each thread for :meth:`aside`.

        For a service, whose statements are about a few rows: they are planned so (:func:`plan_once`). Nothing is
        dialled before it is needed.
        """

        def engine() -> Engine:
            made = make_engine(url, application_name=application_name, pool_size=pool_size)
            event.listen(made, "connect", lambda connection, _record: plan_once(connection))
            return made

        return cls(engine(), threads=pool_size, beside=engine() if beside else None)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by an exception.

        Raises DatabaseAway when the database cannot be reached or went away in the middle, DatabaseConflict when
        another transaction was in the way, and DatabaseRefused when it will never take this.
        """
        with _our_errors(), self.engine.begin() as connection:
            yield connection

    async def run(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a transaction in a thread, committed when it returns. Raises what ``work`` raises, and as
        :meth:`transaction`.

        A conflict (a deadlock, say) undoes the transaction and ``work`` runs again, at most twice more: it must do
        nothing but through its connection that may not be done again. A caller that is cancelled does not stop it.
        """

        return await self._in_thread(lambda: _retried(self.transaction, work))

    async def autocommit(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a thread without a transaction: each statement commits at once, and sees what others committed.

        That saves BEGIN and COMMIT, two round trips. Raises as :meth:`run`.
        """

        def without_transaction() -> T:
            with _our_errors(), self._autocommit.connect() as connection:
                return work(connection)

        return await self._in_thread(without_transaction)

    async def snapshot(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a thread, all of its statements over one state of the database; it cannot write.

        Costs BEGIN and ROLLBACK, two round trips. Raises as :meth:`run`.
        """

        @contextmanager
        def transaction() -> Iterator[Connection]:
            with _our_errors(), self._snapshots.connect() as connection:
                yield connection

        return await self._in_thread(lambda: _retried(transaction, work))

    @contextmanager
    def aside(self) -> Iterator[Connection]:
        """A second connection for a thread that is in a transaction, without one: every statement commits at once.

        Each thread has one of its own, so nobody waits for it. What is done with it must be short: the other is held
        meanwhile. It is not undone when the transaction is.

        Raises as :meth:`transaction`, and ValueError when the database was made without such connections.
        """
        if self._beside is None:
            raise ValueError("no connections beside the pool")
        with _our_errors(), self._beside.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """Wait for running work, then close every connection."""
        self._threads.shutdown(wait=True)
        self.engine.dispose()
        if self._beside is not None:
            self._beside.dispose()
