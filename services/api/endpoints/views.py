"""Endpoints as clients see them. No value of a header and no secret is in a view."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from shared.clock import rfc3339, rfc3339_or_none
from shared.webhooks.body_form import FULL
from shared.webhooks.registry import DEFAULT

_MOMENTS: Final = ("failing_since", "last_success_at", "last_failure_at", "disabled_at")


def _health(row: Row[Any]) -> dict[str, Any]:
    return {
        "consecutive_failures": row.consecutive_failures or 0,
        **{name: rfc3339_or_none(getattr(row, name)) for name in _MOMENTS},
        "disabled_reason": row.disabled_reason,
    }


def registered_view(row: Row[Any]) -> dict[str, Any]:
    """The EndpointView of a registered endpoint."""
    return {
        "id": row.endpoint_id,
        "url": row.url,
        "registered": True,
        "events": list(row.events),
        "payload": row.payload,
        "header_names": list(row.header_names),
        "description": row.description,
        "rate": row.rate,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        **_health(row),
    }


def called_view(row: Row[Any]) -> dict[str, Any]:
    """The EndpointView of a URL that requests named."""
    return {
        "id": row.endpoint_id,
        "url": row.url,
        "registered": False,
        "events": list(DEFAULT),
        "payload": FULL,
        "header_names": [],
        "description": None,
        "rate": None,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.created_at),
        **_health(row),
    }


def with_secret(view: Mapping[str, Any], secret: str, previous_until: datetime | None) -> dict[str, Any]:
    """The EndpointCreated: the one answer that has the secret."""
    return {**view, "secret": secret, "previous_secret_until": rfc3339_or_none(previous_until)}
