"""Clients and their API keys in the database: made, listed and revoked."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.clock import utc_now
from shared.db.catalog import api_keys, clients
from shared.db.command_transaction import command_transaction
from shared.domain.api_keys import KEY_PREFIX, Scope, hash_key, new_api_key, new_webhook_secret
from shared.secrets import owners
from shared.secrets.keys import SecretKeys

SCOPES: Final[tuple[str, ...]] = tuple(scope.value for scope in Scope)
"""Every scope."""
DEV_CLIENT: Final = "dev"
_SHOWN: Final = len(KEY_PREFIX) + 6
_NAME: Final = "autos-cli"


@dataclass(frozen=True)
class DevClient:
    """The client of a local stack, with its secrets in the clear."""

    client_id: str
    api_key: str
    webhook_secret: str


@dataclass(frozen=True)
class ApiKey:
    """A key as it can be listed: never the key itself."""

    key_id: str
    client_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create_client(connection: Connection, client_id: str, name: str, secrets: SecretKeys) -> None:
    """Make a client with a webhook secret unless it is there."""
    secret = secrets.to_store(new_webhook_secret(), owners.client_secret(client_id))
    connection.execute(
        insert(clients).values(client_id=client_id, name=name, webhook_secret=secret).on_conflict_do_nothing()
    )


def add_key(
    connection: Connection,
    client_id: str,
    key: str,
    *,
    name: str,
    secrets: SecretKeys,
    scopes: tuple[str, ...] = SCOPES,
    expires_at: datetime | None = None,
) -> str:
    """Record a key of a client, and give back its id: that of the one already there when the key is known.

    Only the key's hash is kept, with the pepper where there is one, and its first characters. The caller commits.
    Raises ValueError for a scope that there is not.
    """
    unknown = set(scopes) - set(SCOPES)
    if unknown:
        raise ValueError(f"unknown scope: {', '.join(sorted(unknown))} (there are {', '.join(SCOPES)})")
    key_id, digest = str(uuid.uuid4()), hash_key(key)
    known = select(api_keys.c.key_id).where(api_keys.c.key_hash.in_(secrets.hashes(digest))).limit(1)
    if (there := connection.execute(known).scalar_one_or_none()) is not None:
        return str(there)
    stored = secrets.hash_to_store(digest)
    connection.execute(
        insert(api_keys)
        .values(
            key_id=key_id,
            client_id=client_id,
            name=name,
            prefix=key[:_SHOWN],
            key_hash=stored.value,
            pepper_id=stored.key_id,
            sealed_digest=secrets.to_store(digest.hex(), owners.api_key(key_id)) if stored.key_id else None,
            scopes=list(scopes),
            expires_at=expires_at,
        )
        .on_conflict_do_nothing()
    )
    found: str = connection.execute(known).scalar_one()
    return found


def ensure_dev_client(owner_url: str, *, secrets: SecretKeys, api_key: str | None = None) -> DevClient:
    """The client of a local stack, made unless it is there; ``api_key`` is the one that the stack kept.

    Raises SecretUnreadable when its webhook secret was stored with another key.
    """
    key = api_key or new_api_key()
    with command_transaction(owner_url, _NAME) as connection:
        create_client(connection, DEV_CLIENT, "local development", secrets)
        key_id = add_key(connection, DEV_CLIENT, key, name="local stack", secrets=secrets)
        # A stack that was made by an older version keeps its key, which has every scope there is now.
        connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(scopes=list(SCOPES)))
        stored = connection.execute(
            select(clients.c.webhook_secret).where(clients.c.client_id == DEV_CLIENT)
        ).scalar_one()
    return DevClient(DEV_CLIENT, key, secrets.from_store(stored, owners.client_secret(DEV_CLIENT)))


def create_key(
    owner_url: str,
    client_id: str,
    *,
    name: str,
    secrets: SecretKeys,
    scopes: tuple[str, ...] = SCOPES,
    expires_at: datetime | None = None,
) -> tuple[str, str]:
    """Make a key, and its client unless it is there: the key's id and the key, which cannot be shown again."""
    key = new_api_key()
    with command_transaction(owner_url, _NAME) as connection:
        create_client(connection, client_id, client_id, secrets)
        key_id = add_key(connection, client_id, key, name=name, scopes=scopes, expires_at=expires_at, secrets=secrets)
        return key_id, key


def list_keys(owner_url: str) -> list[ApiKey]:
    """Every key, newest first."""
    with command_transaction(owner_url, _NAME) as connection:
        rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at.desc())).all()
    return [
        ApiKey(
            row.key_id,
            row.client_id,
            row.name,
            row.prefix,
            tuple(row.scopes),
            row.created_at,
            row.expires_at,
            row.revoked_at,
        )
        for row in rows
    ]


def revoke_key(owner_url: str, key_id: str) -> bool:
    """End a key now; False when there is no such key that still works.

    Commits. The api may take the key for good for some seconds more (services/api/access/keys.py).
    """
    with command_transaction(owner_url, _NAME) as connection:
        result = connection.execute(
            update(api_keys)
            .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=utc_now())
        )
        return result.rowcount == 1
