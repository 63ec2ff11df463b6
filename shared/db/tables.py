"""The base of the table definitions: one metadata, the naming of constraints, the column kinds that recur."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def identifier(name: str, **options: Any) -> Column[str]:
    """A UUID column that is a lower-case string in Python."""
    return Column(name, Uuid(as_uuid=False), **options)


def moment(name: str, **options: Any) -> Column[Any]:
    """A timestamp with time zone."""
    return Column(name, DateTime(timezone=True), **options)


def outbox_table(schema: str) -> Table:
    """The transactional outbox of a schema, with the columns of Debezium's outbox event router.

    ``aggregatetype`` is the topic and ``aggregateid`` the record's key; ``payload`` is the exact JSON text of the
    value; ``headers`` are the record's headers. ``seq`` is the order of publishing; ``published_at`` is set after
    the broker's acknowledgement, ``set_aside_at`` and ``reason`` when the broker will never take it.
    """
    return Table(
        "outbox",
        METADATA,
        Column("seq", BigInteger, Identity(always=True), primary_key=True),
        identifier("id", nullable=False),
        Column("aggregatetype", Text, nullable=False),
        Column("aggregateid", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("payload", Text, nullable=False),
        Column("headers", JSONB, nullable=False),
        moment("created_at", nullable=False, server_default=text("now()")),
        moment("published_at"),
        moment("set_aside_at"),
        Column("reason", Text),
        Index(
            f"ix_{schema}_outbox_unpublished",
            "seq",
            postgresql_where=text("published_at IS NULL AND set_aside_at IS NULL"),
        ),
        Index(f"ix_{schema}_outbox_set_aside", "seq", postgresql_where=text("set_aside_at IS NOT NULL")),
        Index(f"ix_{schema}_outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
        schema=schema,
    )
