"""The database for a command of an operator: one transaction, on a connection that ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from shared.db.engine import make_engine


@contextmanager
def command_transaction(url: str, application_name: str) -> Iterator[Connection]:
    """Committed with the block, rolled back when that raises. Raises what SQLAlchemy raises.

    ``application_name`` is what the database's views call the connection.
    """
    engine = make_engine(url, application_name=application_name, pool_size=1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
