"""Schema ``delivery``: who is to be told of what, and how each telling went. Written by notifier, read by api.

How a row comes about, in this order:

- ``subscriptions``: one for each URL of a request and each registered endpoint that wants an event of a job. A
  subscription is made before the event that it waits for, or with it; its id decides the delivery's, so a repeat
  makes nothing twice.
- ``completions``: how a job ended, as ProcessCompleted said. It outlives the topic: a delivery is rendered from it.
- ``deliveries``: one for a subscription and its event. ``status`` follows services/notifier/domain/delivery.py, and
  only the holder of ``lease_token`` may record a result. Dispatcher, sweeper and retry topics find the same rows; a
  record that is lost in Kafka delays a delivery and loses none.
- ``attempts``: one for each HTTP request that was made. They are deleted AUTOS_ATTEMPT_RETENTION_DAYS after they
  began; deliveries stay.
- ``endpoints``: what is remembered of a receiver: failures in a row, disabled or not, the alert that is due, how
  small its bodies have to be.
- ``source_events``: changes of a source that were told: what one ``source.degraded`` or ``source.recovered`` is about.
  Their subscriptions and deliveries have the event's id for the job's, and no case.
- ``document_batches``: documents that became available together: what one ``document.available`` is about.

The feed's tables are in shared/db/feed.py. Times are UTC; durations say their unit in the name.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Identity, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db.tables import METADATA, identifier, moment, outbox_table

SCHEMA: Final = "delivery"
_NEWEST: Final = (text("created_at DESC"), text("delivery_id DESC"))
"""The order in which a client lists its deliveries."""

subscriptions = Table(
    "subscriptions",
    METADATA,
    identifier("subscription_id", primary_key=True),
    # Or the source event's, which has no case.
    identifier("job_id", nullable=False, index=True),
    Column("process_number", Text),
    Column("client_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    # Whether it was asked for with a key of the scope 'sealed': what its webhook counts.
    Column("sealed", Boolean, nullable=False, server_default=text("false")),
    # The payload that the request asked for, full or thin; null is full.
    Column("payload", Text),
    # The registered endpoint that it stands for; null: the URL of a request.
    identifier("endpoint_id"),
    Column("event_type", Text, nullable=False, server_default=text("'process.completed'")),
    # Of the events of one type that a job causes: document_batches.part.
    Column("part", Integer, nullable=False, server_default=text("0")),
    # The client's own reference, given with the URL.
    Column("reference", Text),
    moment("created_at", nullable=False, server_default=text("now()")),
    schema=SCHEMA,
)

completions = Table(
    "completions",
    METADATA,
    identifier("job_id", primary_key=True),
    Column("process_number", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("total_documents", Integer, nullable=False),
    Column("completed_documents", Integer, nullable=False),
    Column("failed_documents", Integer, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    moment("created_at", nullable=False),
    moment("completed_at", nullable=False),
    moment("recorded_at", nullable=False, server_default=text("now()")),
    Index("ix_completions_recorded", "recorded_at"),
    schema=SCHEMA,
)

endpoints = Table(
    "endpoints",
    METADATA,
    # uuid5 of the client and the URL without its query; of a registered one its own (catalog.webhook_endpoints).
    identifier("endpoint_id", primary_key=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("consecutive_failures", Integer, nullable=False, server_default=text("0")),
    moment("failing_since"),
    moment("last_success_at"),
    moment("last_failure_at"),
    moment("disabled_at"),
    Column("disabled_reason", Text),
    # exhausted or disabled: people have still to be told; cleared, with alerted_at, when they were.
    Column("alert_reason", Text),
    moment("alerted_at"),
    # Set while somebody tells them; run out, people may be told again.
    moment("alert_lease_until"),
    # How small its bodies have to be since it answered 413 (shared/webhooks/body_form.py), and when it
    # did last.
    Column("body_form", Integer, nullable=False, server_default=text("0")),
    moment("body_form_at"),
    Column("registered", Boolean, nullable=False, server_default=text("false")),
    # Seconds between two deliveries at least; null: as the settings say.
    Column("least_seconds", Float),
    moment("created_at", nullable=False, server_default=text("now()")),
    Index("ix_endpoints_alert", "endpoint_id", postgresql_where=text("alert_reason IS NOT NULL")),
    schema=SCHEMA,
)

deliveries = Table(
    "deliveries",
    METADATA,
    identifier("delivery_id", primary_key=True),
    identifier("subscription_id", nullable=False, unique=True),
    # As of the subscription.
    identifier("job_id", nullable=False),
    Column("process_number", Text),
    Column("client_id", Text, nullable=False),
    identifier("endpoint_id", nullable=False),
    Column("url", Text, nullable=False),
    Column("event_type", Text, nullable=False, server_default=text("'process.completed'")),
    # pending, sending, waiting, delivered, exhausted, gone, cancelled
    Column("status", Text, nullable=False),
    # Attempts made; the one being sent counts when it is claimed.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # Attempts made since the delivery was accepted or asked for again: what the schedule counts.
    Column("round_attempts", Integer, nullable=False, server_default=text("0")),
    # Null while pending or waiting: held, since the endpoint is disabled.
    moment("next_attempt_at"),
    # The fence: a result is recorded only under the token that claimed the attempt.
    identifier("lease_token"),
    moment("lease_until"),
    Column("last_status_code", Integer),
    Column("last_error_code", Text),
    moment("created_at", nullable=False),
    moment("updated_at", nullable=False),
    moment("delivered_at"),
    # By endpoint first: what waits for a dead receiver is stepped over, however much it is.
    Index(
        "ix_deliveries_open",
        "endpoint_id",
        "next_attempt_at",
        postgresql_where=text("status IN ('pending', 'waiting')"),
    ),
    Index("ix_deliveries_leased", "lease_until", postgresql_where=text("status = 'sending'")),
    Index("ix_deliveries_client", "client_id", *_NEWEST),
    Index("ix_deliveries_case", "client_id", "process_number", *_NEWEST),
    Index("ix_deliveries_status", "client_id", "status", *_NEWEST),
    schema=SCHEMA,
)

attempts = Table(
    "attempts",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    identifier("delivery_id", nullable=False),
    Column("attempt", Integer, nullable=False),
    moment("started_at", nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("dns_ms", Integer),
    Column("connect_ms", Integer),
    Column("tls_ms", Integer),
    Column("first_byte_ms", Integer),
    Column("address", Text),
    Column("status_code", Integer),
    Column("succeeded", Boolean, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("response_excerpt", Text),
    # Of the request: ours as they were sent, the client's own by name alone. Null: no request was made.
    Column("request_headers", JSONB),
    # Of the trace that the job began in (catalog.jobs.traceparent); null where none was made.
    Column("span_id", Text),
    Index("ix_attempts_delivery", "delivery_id", "attempt"),
    Index("ix_attempts_started", "started_at"),
    schema=SCHEMA,
)

document_batches = Table(
    "document_batches",
    METADATA,
    # Documents of a job that were told of together, once: what a part of document.available is about.
    identifier("job_id", primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("process_number", Text, nullable=False),
    Column("document_ids", ARRAY(Uuid(as_uuid=False)), nullable=False),
    moment("made_at", nullable=False),
    schema=SCHEMA,
)

endpoint_starts = Table(
    "endpoint_starts",
    METADATA,
    # Of an endpoint with a rate: when the next delivery to it may start, whichever replica sends it.
    identifier("endpoint_id", primary_key=True),
    moment("next_start_at", nullable=False),
    schema=SCHEMA,
)

outbox_alerts = Table(
    "outbox_alerts",
    METADATA,
    # The schema of an outbox that people were told about, and from when on they may be told again.
    Column("outbox", Text, primary_key=True),
    moment("due_at", nullable=False),
    schema=SCHEMA,
)

source_notices = Table(
    "source_notices",
    METADATA,
    # What other systems were last told of a source: its state (shared/domain/source_state.py), and when.
    Column("source", Text, primary_key=True),
    Column("state", Text, nullable=False),
    moment("at", nullable=False),
    # When they were told last that it is worse than it was: the next time is not soon after.
    moment("degraded_at"),
    schema=SCHEMA,
)

source_events = Table(
    "source_events",
    METADATA,
    identifier("event_id", primary_key=True),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    moment("since", nullable=False),
    moment("degraded_since"),
    moment("at", nullable=False),
    Index("ix_source_events_at", "at"),
    schema=SCHEMA,
)

outbox = outbox_table(SCHEMA)
