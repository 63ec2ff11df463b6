"""Encrypts every stored secret with the first key of AUTOS_SECRETS_KEY, and says what is not: ``autos secrets``.

A rotation goes through each kind of secret in the order of its rows, a batch in one transaction. It may be killed and
started again at any moment, and services work all the time: a row is what it was or what it becomes, and every key
opens what it encrypted as long as it is set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, Row, Table, select, update

from shared.db.catalog import api_keys, clients
from shared.db.engine import make_engine
from shared.db.source import credentials
from shared.db.webhook_endpoints import webhook_endpoints
from shared.secrets import owners
from shared.secrets.keys import SecretKeys, SecretUnreadable, Standing
from shared.webhooks.headers import HeaderKeys
from shared.webhooks.sealing import NotOpened

BATCH: Final = 200
"""Rows that are looked at, and changed, in one transaction."""


@dataclass(frozen=True)
class StoredSecret:
    """One secret of a row: how it is kept, and the columns that keep it as it should be."""

    standing: Standing
    renewed: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SecretKind:
    """The secrets of one table. ``read`` finds those of a row."""

    name: str
    table: Table
    identity: Column[Any]
    read: Callable[[Row[Any], HeaderKeys, SecretKeys], Iterator[StoredSecret]]


@dataclass
class SecretsReport:
    """How many secrets are kept how, by kind; and how many were changed by now."""

    kinds: dict[str, Counter[Standing]] = field(default_factory=dict)
    changed: int = 0

    @property
    def remaining(self) -> int:
        """Secrets that the first key did not encrypt."""
        return sum(count for kind in self.kinds.values() for how, count in kind.items() if how is not Standing.CURRENT)


def _texts(*columns: str, about: Callable[[Row[Any], str], str]) -> Callable[..., Iterator[StoredSecret]]:
    """Reads secrets that are texts in columns of their own.

    ``about`` says, for a row and the name of a column, whose secret it is (:mod:`shared.secrets.owners`). A column
    without a value has no secret.
    """

    def read(row: Row[Any], keys: HeaderKeys, target: SecretKeys) -> Iterator[StoredSecret]:
        for name in columns:
            if (stored := getattr(row, name)) is None:
                continue
            whose = about(row, name)
            how = keys.secrets.standing(stored, whose)
            if how is Standing.UNREADABLE:
                yield StoredSecret(how)
            else:
                yield StoredSecret(how, {name: target.to_store(keys.secrets.from_store(stored, whose), whose)})

    return read


def _headers(row: Row[Any], keys: HeaderKeys, target: SecretKeys) -> Iterator[StoredSecret]:
    """The headers of an endpoint: one secret, in either of the two forms (:class:`shared.webhooks.headers.HeaderKeys`).

    What AUTOS_WEBHOOK_SEALING_KEYS sealed counts as older. Where ``target`` has no key they go back to that form, and
    where there is no key of that kind either they stay as they are: headers are never stored in the clear.
    """
    if row.sealed_headers is None:
        return
    kept = bytes(row.sealed_headers)
    try:
        headers = dict(keys.open(kept, row.endpoint_id))
    except (NotOpened, SecretUnreadable):
        yield StoredSecret(Standing.UNREADABLE)
        return
    text = kept.decode("latin-1")
    is_new = text.startswith("autos:")
    how = keys.secrets.standing(text, owners.endpoint_headers(row.endpoint_id)) if is_new else Standing.OLDER
    to = HeaderKeys(target, keys.sealing)
    yield StoredSecret(how, {"sealed_headers": to.seal(headers, row.endpoint_id)} if to else {})


def _digests(row: Row[Any], keys: HeaderKeys, target: SecretKeys) -> Iterator[StoredSecret]:
    """What is kept of an API key: its hash, the pepper's id, and its SHA-256 encrypted.

    The next hash is made of the SHA-256, so that no client has to show its key for a rotation. A row with a pepper
    and without a SHA-256 that opens cannot be renewed: its key has to be made anew.
    """
    about = owners.api_key(row.key_id)
    digest, how = bytes(row.key_hash), Standing.PLAIN
    if row.pepper_id is not None:
        how = keys.secrets.standing(row.sealed_digest or "", about)
        if how in (Standing.PLAIN, Standing.UNREADABLE):
            yield StoredSecret(Standing.UNREADABLE)
            return
        digest = bytes.fromhex(keys.secrets.from_store(row.sealed_digest, about))
    stored = target.hash_to_store(digest)
    sealed = target.to_store(digest.hex(), about) if stored.key_id else None
    yield StoredSecret(how, {"key_hash": stored.value, "pepper_id": stored.key_id, "sealed_digest": sealed})


KINDS: Final = (
    SecretKind(
        "webhook secrets of clients",
        clients,
        clients.c.client_id,
        _texts(
            *("webhook_secret", "previous_webhook_secret"), about=lambda row, _: owners.client_secret(row.client_id)
        ),
    ),
    SecretKind(
        "webhook secrets of endpoints",
        webhook_endpoints,
        webhook_endpoints.c.endpoint_id,
        _texts("secret", "previous_secret", about=lambda row, _: owners.endpoint_secret(row.endpoint_id)),
    ),
    SecretKind("headers of endpoints", webhook_endpoints, webhook_endpoints.c.endpoint_id, _headers),
    SecretKind(
        "tokens of the source",
        credentials,
        credentials.c.name,
        _texts(
            *("access_token", "refresh_token"),
            about=lambda row, column: owners.source_token(row.name, column.removesuffix("_token")),
        ),
    ),
    SecretKind("API keys", api_keys, api_keys.c.key_id, _digests),
)
"""Every secret that the database keeps."""


@contextmanager
def _engine(owner_url: str) -> Iterator[Engine]:
    engine = make_engine(owner_url, application_name="autos-secrets", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


def look(owner_url: str, keys: HeaderKeys) -> SecretsReport:
    """How every secret is kept. Changes nothing."""
    report = SecretsReport()
    with _engine(owner_url) as engine:
        for kind in KINDS:
            report.kinds[kind.name] = counted = Counter[Standing]()
            for batch in _batches(engine, kind):
                counted.update(each.standing for row in batch for each in kind.read(row, keys, keys.secrets))
    return report


def rotate(owner_url: str, keys: HeaderKeys, *, to_plain: bool = False) -> SecretsReport:
    """Encrypt with the first key whatever is not, and hash API keys with its pepper; what remains stands in the report.

    Commits after each batch of :data:`BATCH` rows. ``to_plain`` takes the encryption away, for the way back to a
    release that cannot read it. What no key opens is left alone and counted as unreadable.
    """
    target = SecretKeys() if to_plain else keys.secrets
    wanted = Standing.PLAIN if to_plain else Standing.CURRENT
    changed = 0
    with _engine(owner_url) as engine:
        for kind in KINDS:
            for batch in _batches(engine, kind):
                behind = [
                    row
                    for row in batch
                    if any(each.standing not in (wanted, Standing.UNREADABLE) for each in kind.read(row, keys, target))
                ]
                if behind:
                    with engine.begin() as connection:
                        changed += sum(_renew(connection, kind, row[0], keys, target, wanted) for row in behind)
    report = look(owner_url, keys)
    report.changed = changed
    return report


def _batches(engine: Engine, kind: SecretKind) -> Iterator[list[Row[Any]]]:
    """The rows in the order of their ids, each batch read by itself: a large table fits into memory."""
    last: Any = None
    while True:
        # The id comes first, so that it is the row's first member whatever the table's columns are.
        statement = select(kind.identity.label("identity"), kind.table).order_by(kind.identity).limit(BATCH)
        if last is not None:
            statement = statement.where(kind.identity > last)
        with engine.begin() as connection:
            rows = list(connection.execute(statement))
        if rows:
            yield rows
        if len(rows) < BATCH:
            return
        last = rows[-1][0]


def _renew(
    connection: Connection, kind: SecretKind, identity: Any, keys: HeaderKeys, target: SecretKeys, wanted: Standing
) -> int:
    """Store the secrets of one row anew, as they are now that it is locked; how many were not as they should be."""
    # FOR NO KEY UPDATE: rows that refer to this one can be written meanwhile.
    locked = select(kind.table).where(kind.identity == identity).with_for_update(key_share=True)
    row = connection.execute(locked).one_or_none()
    if row is None:
        return 0
    behind = [
        each
        for each in kind.read(row, keys, target)
        if each.standing not in (wanted, Standing.UNREADABLE) and each.renewed
    ]
    values = {name: value for each in behind for name, value in each.renewed.items()}
    if values:
        connection.execute(update(kind.table).where(kind.identity == identity).values(values))
    return len(behind)
