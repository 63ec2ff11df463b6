"""All tables together: importing this module fills :data:`METADATA`."""

from __future__ import annotations

from shared.db import audit, catalog, deletions, delivery, feed, progress, source, webhook_endpoints
from shared.db.tables import METADATA

SCHEMAS = (catalog.SCHEMA, progress.SCHEMA, delivery.SCHEMA, source.SCHEMA, audit.SCHEMA)

__all__ = [
    "METADATA",
    "SCHEMAS",
    "audit",
    "catalog",
    "deletions",
    "delivery",
    "feed",
    "progress",
    "source",
    "webhook_endpoints",
]
