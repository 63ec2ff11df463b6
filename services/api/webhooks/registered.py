"""Whether a client has registered endpoints (services/api/endpoints)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, literal, select

from shared.db.webhook_endpoints import webhook_endpoints

_ANY: Final = (
    select(literal(1))
    .select_from(webhook_endpoints)
    .where(webhook_endpoints.c.client_id == bindparam("client_id"))
    .limit(literal(1))
)


def has_endpoints(connection: Connection, client_id: str) -> bool:
    """Whether the client has registered one at least."""
    return connection.execute(_ANY, {"client_id": client_id}).first() is not None
