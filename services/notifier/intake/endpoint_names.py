"""The endpoints of deliveries: a client and a URL without its query, or what a client registered; and their SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from shared.db.recordset import as_json
from shared.events.envelope import deterministic_id
from shared.http.guard import AnyAddress, WebhookUrlRefused, check_url
from shared.settings import Rate, parse_rate

INSERT_ENDPOINTS: Final = """
    INSERT INTO delivery.endpoints (endpoint_id, client_id, url, origin, registered, least_seconds, created_at)
    SELECT endpoint_id, client_id, url, origin, registered, least_seconds, :now
      FROM json_to_recordset(CAST(:endpoints AS json)) AS r (endpoint_id uuid, client_id text, url text, origin text,
           registered bool, least_seconds float)
        ON CONFLICT DO NOTHING"""
"""Remembers endpoints (``endpoints``: :func:`endpoints_as_json`) at ``now``; known ones stay as they are."""
_ADD_ENDPOINTS: Final = text(INSERT_ENDPOINTS)
_ANYWHERE: Final = AnyAddress()


@dataclass(frozen=True, slots=True)
class EndpointName:
    """An endpoint. ``least_seconds`` between two of its deliveries; None: as the settings say."""

    endpoint_id: str
    client_id: str
    url: str
    origin: str
    registered: bool = False
    least_seconds: float | None = None


def endpoint_of(client_id: str, url: str) -> EndpointName:
    """The endpoint of a URL. One that cannot be read is an endpoint of its own: its attempts will fail and say why."""
    name, origin = _place(url)
    return EndpointName(deterministic_id("endpoint", client_id, name), client_id, name, origin)


def registered_endpoint(endpoint_id: str, client_id: str, url: str, rate: str | None) -> EndpointName:
    """The endpoint of a row of ``catalog.webhook_endpoints``."""
    name, origin = _place(url)
    return EndpointName(endpoint_id, client_id, name, origin, registered=True, least_seconds=_least_seconds(rate))


def _place(url: str) -> tuple[str, str]:
    # Everything is allowed here: names and limits only. What may be called is decided at the dial.
    try:
        checked = check_url(url, _ANYWHERE)
    except WebhookUrlRefused as refused:
        return url.partition("?")[0], f"refused:{refused.code}"
    return checked.without_query, checked.origin


def _least_seconds(rate: str | None) -> float | None:
    if rate is None:
        return None
    parsed: Any = parse_rate(rate)
    return parsed.interval if isinstance(parsed, Rate) else None


def endpoints_as_json(names: Iterable[EndpointName]) -> str:
    """The rows of endpoints for a statement, in the order of their ids, in which every transaction locks them."""
    return as_json([asdict(name) for name in sorted(names, key=lambda name: name.endpoint_id)])


def add_endpoints(connection: Connection, names: Sequence[EndpointName], now: datetime) -> None:
    """Remember endpoints, in the order of their ids; known ones stay as they are."""
    if names:
        connection.execute(_ADD_ENDPOINTS, {"endpoints": endpoints_as_json(names), "now": now})
