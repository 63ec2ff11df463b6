"""Schema ``catalog``: clients and keys, cases and their documents' metadata, jobs, rate limits. Written by api.

- ``clients``, ``api_keys``, ``stream_tokens``: who may ask. Keys are kept as a hash with a pepper, tokens as SHA-256.
  Webhook secrets are encrypted. Both where there is AUTOS_SECRETS_KEY (:mod:`shared.secrets`).
- ``processes``, ``documents``, ``case_lists``: what the source says. They are the one exception to "one writer a
  table": the planner writes them too when the discovery was put off, both through :mod:`shared.db.case_store`. Each
  names the source that it was read from.
- ``jobs``: what was asked for. At most one active job of a case and scope, by the index ``uq_jobs_active``: two
  requests at the same moment meet there, and the second one joins. How far a job is stands in schema ``progress``.
- ``job_clients``, ``job_webhooks``, ``job_references``: who joined a job, which URL is to be called, what the client
  calls it.
- ``process_requests``: which client asked for which case: what decides who sees it.
- ``dead_letter_replays``: which dead letters administrators had sent again, so that each is once.
- ``rate_limits``: GCRA, one row for each client and limit.
- ``outbox``: events that were written in the transaction of what they tell of (:mod:`shared.outbox`).

Lists that a view bounds (movements, parties) stand in ``processes`` as far as they are shown, and whole in
``case_lists``, a hundred to a row.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db.tables import METADATA, identifier, moment, outbox_table

SCHEMA: Final = "catalog"

clients = Table(
    "clients",
    METADATA,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("webhook_secret", Text, nullable=False),
    Column("previous_webhook_secret", Text),
    moment("previous_secret_until"),
    moment("created_at", nullable=False, server_default=text("now()")),
    moment("disabled_at"),
    schema=SCHEMA,
)

api_keys = Table(
    "api_keys",
    METADATA,
    identifier("key_id", primary_key=True),
    Column("client_id", Text, ForeignKey("catalog.clients.client_id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    # HMAC of the key's SHA-256, or where pepper_id is null the SHA-256 itself. The keys are random (256 bits), so a
    # slow hash would protect nothing more.
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    # The id of the key of AUTOS_SECRETS_KEY that the pepper was made of, and the SHA-256 encrypted with it, of which
    # the hash with another pepper is made (shared/secrets/keys.py).
    Column("pepper_id", Text),
    Column("sealed_digest", Text),
    Column("scopes", ARRAY(Text), nullable=False),
    moment("created_at", nullable=False, server_default=text("now()")),
    moment("expires_at"),
    moment("revoked_at"),
    schema=SCHEMA,
)

stream_tokens = Table(
    "stream_tokens",
    METADATA,
    # SHA-256 of the token.
    Column("token_hash", LargeBinary, primary_key=True),
    Column(
        "key_id",
        Uuid(as_uuid=False),
        ForeignKey("catalog.api_keys.key_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    # The one case that it is for; NULL: every case of the client.
    Column("process_number", Text),
    moment("expires_at", nullable=False, index=True),
    schema=SCHEMA,
)

processes = Table(
    "processes",
    METADATA,
    Column("process_number", Text, primary_key=True),
    Column("court", Text),
    Column("degree", Text),
    Column("class", Text),
    Column("subjects", JSONB, nullable=False),
    Column("parties", JSONB, nullable=False),
    moment("filed_at"),
    Column("claim_value", Numeric(18, 2)),
    Column("secrecy_level", Integer),
    # Of these two lists what a view shows (shared/domain/views.py); the whole of a longer one is in case_lists. The
    # totals are
    # the source's, and left_out says of what not everything is kept (sources/pdpj/parse/bounds.py): {"movements":
    # 12, ...}.
    Column("movements", JSONB, nullable=False),
    Column("movements_total", Integer),
    Column("parties_total", Integer),
    Column("left_out", JSONB),
    Column("related", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    moment("fetched_at", nullable=False),
    # What HEAD ultima-atualizacao said just before this was read, where the API has it (sources/changes.py).
    Column("source_version", Text),
    # The name of the source that this was read from (sources/registry.py).
    Column("source", Text, nullable=False, server_default=text("'pdpj'")),
    schema=SCHEMA,
)

documents = Table(
    "documents",
    METADATA,
    Column("process_number", Text, primary_key=True),
    identifier("document_id", primary_key=True),
    # The order in the case, from 1: by filing date, then sequence, over all degrees.
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text),
    Column("type_code", Text),
    Column("sequence", Integer),
    moment("filed_at"),
    Column("pages", Integer),
    Column("size", BigInteger),
    Column("content_type", Text),
    Column("secrecy_level", Text),
    # Null: the source lists the document without an address.
    Column("source_path", Text),
    # The source's own id, as it stands.
    Column("source_id", Text),
    # The source that gives the document: a case may be read from another one since.
    Column("source", Text, nullable=False, server_default=text("'pdpj'")),
    Column("court", Text),
    Column("degree", Text),
    Column("instance", Text),
    Column("source_hash", Text),
    Column("rendition", Text, nullable=False, server_default=text("'binary'")),
    # Grows when the listing shows that the content is another: size, hash or filing date changed.
    Column("revision", Integer, nullable=False, server_default=text("1")),
    moment("registered_at", nullable=False, server_default=text("now()")),
    ForeignKeyConstraint(["process_number"], ["catalog.processes.process_number"]),
    Index("ix_documents_position", "process_number", "position", "document_id"),
    Index(
        "ix_documents_sealed",
        "process_number",
        postgresql_where=text("secrecy_level IS NOT NULL AND secrecy_level <> 'PUBLICO' AND secrecy_level <> '0'"),
    ),
    schema=SCHEMA,
)

case_lists = Table(
    "case_lists",
    METADATA,
    Column("process_number", Text, primary_key=True),
    # movements (counted from the oldest) or parties (in the source's order).
    Column("kind", Text, primary_key=True),
    # The number of the first of the row's items: at most a hundred, up to the next multiple of a hundred.
    Column("first", Integer, primary_key=True, autoincrement=False),
    # Bytes of the items as JSON: a page stops reading rows when it has as much as an answer may.
    Column("size", Integer, nullable=False),
    Column("items", JSONB, nullable=False),
    ForeignKeyConstraint(["process_number"], ["catalog.processes.process_number"], ondelete="CASCADE"),
    schema=SCHEMA,
)

jobs = Table(
    "jobs",
    METADATA,
    identifier("job_id", primary_key=True),
    Column("process_number", Text, nullable=False),
    Column("client_id", Text, ForeignKey("catalog.clients.client_id"), nullable=False),
    # 'all' or the id of the one document asked for: at most one active job of each scope and process.
    Column("scope", Text, nullable=False),
    Column("discover", Boolean, nullable=False),
    # Whether documents that failed for good are tried again.
    Column("retry_failed", Boolean, nullable=False, server_default=text("false")),
    Column("webhook_url", Text),
    # Cleared by api when it sees that the projection has the job's end.
    Column("active", Boolean, nullable=False, server_default=text("true")),
    moment("created_at", nullable=False),
    moment("cancelled_at"),
    # W3C Trace Context of the request that started it.
    Column("traceparent", Text),
    Index("uq_jobs_active", "process_number", "scope", unique=True, postgresql_where=text("active")),
    Index("ix_jobs_created", "created_at"),
    Index("ix_jobs_process", "process_number", text("created_at DESC")),
    Index("ix_jobs_client_active", "client_id", postgresql_where=text("active")),
    schema=SCHEMA,
)

job_webhooks = Table(
    "job_webhooks",
    METADATA,
    identifier("subscription_id", primary_key=True),
    identifier("job_id", nullable=False, index=True),
    Column("client_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    # Whether it was asked for with a key of the scope 'sealed'.
    Column("sealed", Boolean, nullable=False, server_default=text("false")),
    # The payload that was asked for, full or thin; null is full.
    Column("payload", Text),
    # The client's own reference, given with the URL (shared/domain/reference.py).
    Column("reference", Text),
    moment("created_at", nullable=False, server_default=text("now()")),
    ForeignKeyConstraint(["job_id"], ["catalog.jobs.job_id"]),
    schema=SCHEMA,
)

job_clients = Table(
    "job_clients",
    METADATA,
    # The clients that joined a job which another one started: it is theirs as well.
    identifier("job_id", primary_key=True),
    Column("client_id", Text, ForeignKey("catalog.clients.client_id"), primary_key=True),
    moment("joined_at", nullable=False),
    ForeignKeyConstraint(["job_id"], ["catalog.jobs.job_id"], ondelete="CASCADE"),
    schema=SCHEMA,
)

job_references = Table(
    "job_references",
    METADATA,
    # What a client calls a job, as it said last (shared/domain/reference.py); shown to that client alone.
    identifier("job_id", primary_key=True),
    Column("client_id", Text, ForeignKey("catalog.clients.client_id"), primary_key=True),
    Column("reference", Text, nullable=False),
    moment("given_at", nullable=False),
    ForeignKeyConstraint(["job_id"], ["catalog.jobs.job_id"], ondelete="CASCADE"),
    schema=SCHEMA,
)

process_requests = Table(
    "process_requests",
    METADATA,
    Column("client_id", Text, ForeignKey("catalog.clients.client_id"), primary_key=True),
    Column("process_number", Text, primary_key=True),
    moment("first_requested_at", nullable=False),
    moment("last_requested_at", nullable=False),
    # Whether the client ever asked with a key of the scope 'sealed' (shared/domain/secrecy.py).
    Column("sealed", Boolean, nullable=False, server_default=text("false")),
    Index("ix_process_requests_case", "process_number", "client_id"),
    # How often the client gave a job of the case another reference: views of it are others then.
    Column("reference_changes", Integer, nullable=False, server_default=text("0")),
    Index("ix_process_requests_last", "last_requested_at"),
    Index("ix_process_requests_recent", "client_id", text("last_requested_at DESC"), "process_number"),
    schema=SCHEMA,
)

rate_limits = Table(
    "rate_limits",
    METADATA,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # GCRA's theoretical arrival time.
    moment("tat", nullable=False),
    schema=SCHEMA,
)

dead_letter_replays = Table(
    "dead_letter_replays",
    METADATA,
    # An id as `autos dead list` has it, and when the letter was written: a topic that is made anew counts from 0 again.
    Column("letter_id", Text, primary_key=True),
    moment("died_at", primary_key=True),
    moment("replayed_at", nullable=False),
    # Who asked for it.
    Column("client_id", Text, nullable=False),
    identifier("key_id", nullable=False),
    Index("ix_dead_letter_replays_replayed", "replayed_at"),
    schema=SCHEMA,
)

outbox = outbox_table(SCHEMA)
