"""``catalog.webhook_endpoints``: the endpoints that clients register. Written by api, read by notifier."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ForeignKey, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.catalog import SCHEMA
from shared.db.tables import METADATA, identifier, moment

webhook_endpoints: Final = Table(
    "webhook_endpoints",
    METADATA,
    identifier("endpoint_id", primary_key=True),
    Column("client_id", Text, ForeignKey("catalog.clients.client_id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    # Names of types (shared/webhooks/registry.py).
    Column("events", ARRAY(Text), nullable=False),
    # full or thin
    Column("payload", Text, nullable=False),
    Column("header_names", ARRAY(Text), nullable=False),
    # The headers as JSON, encrypted (shared/webhooks/headers.py).
    Column("sealed_headers", LargeBinary),
    Column("description", Text),
    # Such as 10/second.
    Column("rate", Text),
    # Encrypted where there is AUTOS_SECRETS_KEY (shared/secrets), as the one before is.
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    moment("previous_secret_until"),
    moment("created_at", nullable=False),
    moment("updated_at", nullable=False),
    schema=SCHEMA,
)
