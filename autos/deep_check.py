"""``autos doctor --deep``: what does not match between catalog, progress, delivery, S3 and topics, in words."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from autos.context import fail, kafka_config, read_stack, setting

if TYPE_CHECKING:
    from ops.invariants.findings import Findings
    from shared.settings import StorageSettings

_MOST_LINES = 50


def look(*, hashes: bool, hours: float | None, grace: float) -> Findings:
    """The findings. Exits with one line when a server is away."""
    from botocore.exceptions import BotoCoreError
    from obstore.exceptions import BaseError
    from sqlalchemy.exc import SQLAlchemyError

    from ops.invariants.check import EVER, Check
    from ops.invariants.database import DatabaseReader
    from ops.invariants.findings import Patience
    from ops.invariants.store import StoreReader
    from ops.invariants.topics import TopicReader
    from shared.clock import utc_now
    from shared.errors import InfrastructureAway
    from shared.storage.store import make_store

    since = EVER if hours is None else utc_now() - timedelta(hours=hours)
    prefix = os.environ.get("AUTOS_KAFKA_GROUP_PREFIX") or "autos"
    config = kafka_config()
    topics = TopicReader(setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka"), prefix, config)
    database = DatabaseReader(setting("AUTOS_DATABASE_URL", "database_url"), since)
    try:
        with closing(topics), closing(database):
            store = StoreReader(make_store(storage_settings(read_stack() or {})), hashes=hashes)
            return Check(database, store, topics, Patience(timedelta(seconds=grace)), since).run()
    except (InfrastructureAway, SQLAlchemyError, BaseError, BotoCoreError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise fail(f"cannot look: {lines[0][:200]}", status=2) from error


def storage_settings(stack: dict[str, Any]) -> StorageSettings:
    """The object store of the environment, else the local stack's."""
    from pydantic import SecretStr

    from shared.settings import StorageSettings

    kept = stack.get("s3", {})
    if not kept or os.environ.get("AUTOS_S3_ENDPOINT_URL"):
        return StorageSettings()
    return StorageSettings.model_validate(
        {
            "s3_endpoint_url": kept["endpoint"],
            "s3_bucket": kept["bucket"],
            "aws_access_key_id": kept["access_key_id"],
            "aws_secret_access_key": SecretStr(kept["secret_access_key"]),
        }
    )


def report(findings: Findings) -> int:
    """Print them; how many things do not match."""
    for name, count in sorted(findings.counted.items()):
        if count:
            typer.echo(f"-   {count} {name}")
    for words in findings.running:
        typer.echo(f"..  in progress: {words}")
    for mismatch in findings.mismatches[:_MOST_LINES]:
        typer.echo(f"BAD {mismatch.rule}: {mismatch.words}")
    left = len(findings.mismatches) - _MOST_LINES
    if left > 0:
        typer.echo(f"BAD and {left} more")
    if not findings.mismatches:
        typer.echo("ok  catalog, progress, delivery, S3 and topics match")
    return len(findings.mismatches)
