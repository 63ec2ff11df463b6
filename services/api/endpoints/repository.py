"""The SQL of endpoints: ``catalog.webhook_endpoints`` is the api's; their health is the notifier's, and only read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, select, update

from shared.db.catalog import clients
from shared.db.delivery import endpoints as health
from shared.db.webhook_endpoints import webhook_endpoints as registered

_HEALTH: Final = (
    "consecutive_failures",
    "failing_since",
    "last_success_at",
    "last_failure_at",
    "disabled_at",
    "disabled_reason",
    "body_form",
    "body_form_at",
)
_MOST: Final = 1_000


def _registered() -> Select[Any]:
    return select(registered, *(health.c[name] for name in _HEALTH)).select_from(
        registered.join(health, health.c.endpoint_id == registered.c.endpoint_id, isouter=True)
    )


def registered_of(connection: Connection, client_id: str) -> Sequence[Row[Any]]:
    """What a client registered, by URL, with the health of each (null before its first delivery)."""
    return connection.execute(
        _registered().where(registered.c.client_id == client_id).order_by(registered.c.url, registered.c.endpoint_id)
    ).all()


def called_of(connection: Connection, client_id: str) -> Sequence[Row[Any]]:
    """The endpoints that the URLs of a client's requests made, by URL; at most a thousand."""
    return connection.execute(
        select(health).where(health.c.client_id == client_id, ~health.c.registered).order_by(health.c.url).limit(_MOST)
    ).all()


def find_registered(connection: Connection, client_id: str, endpoint_id: str, *, lock: bool = False) -> Row[Any] | None:
    """An endpoint that this client registered, or None. ``lock`` holds its row until the caller commits."""
    statement = _registered().where(registered.c.endpoint_id == endpoint_id, registered.c.client_id == client_id)
    if lock:
        statement = statement.with_for_update(of=registered)
    return connection.execute(statement).one_or_none()


def find_called(connection: Connection, client_id: str, endpoint_id: str) -> Row[Any] | None:
    """An endpoint of this client as the notifier knows it, registered or not, or None."""
    return connection.execute(
        select(health).where(health.c.endpoint_id == endpoint_id, health.c.client_id == client_id)
    ).one_or_none()


def find_by_url(connection: Connection, client_id: str, url_without_query: str) -> Row[Any] | None:
    """The endpoint that a URL of this client's requests made, or None."""
    its = (health.c.client_id == client_id, health.c.url == url_without_query, ~health.c.registered)
    return connection.execute(select(health).where(*its).limit(1)).one_or_none()


def count_registered(connection: Connection, client_id: str) -> int:
    """How many the client has. Locks the client's row until the caller commits, so that two at once are counted one by
    one.
    """
    connection.execute(
        select(literal(1)).where(clients.c.client_id == client_id).select_from(clients).with_for_update()
    )
    counted: int = connection.execute(
        select(func.count()).select_from(registered).where(registered.c.client_id == client_id)
    ).scalar_one()
    return counted


def add(connection: Connection, row: dict[str, Any]) -> None:
    """Register an endpoint. The caller has asked :func:`count_registered` in the same transaction, and commits."""
    connection.execute(insert(registered).values(row))


def change(connection: Connection, endpoint_id: str, values: dict[str, Any]) -> None:
    """Change an endpoint, which the caller's transaction has locked. The caller commits."""
    connection.execute(update(registered).where(registered.c.endpoint_id == endpoint_id).values(values))


def remove(connection: Connection, client_id: str, endpoint_id: str) -> bool:
    """Remove an endpoint; whether the client had it."""
    removed = connection.execute(
        delete(registered).where(registered.c.endpoint_id == endpoint_id, registered.c.client_id == client_id)
    )
    return removed.rowcount == 1
