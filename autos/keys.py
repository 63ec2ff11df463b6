"""``autos keys``: make, list and revoke API keys. Talks to the database as the role autos_keys, or as its owner."""

from __future__ import annotations

import os
import uuid
from datetime import timedelta
from typing import Annotated

import typer

from autos.context import fail, header_keys, setting

app = typer.Typer(help="API keys.", no_args_is_help=True)


def _database_url() -> str:
    """AUTOS_KEYS_DATABASE_URL (the role autos_keys, which can do this and nothing else), else as the other commands."""
    return os.environ.get("AUTOS_KEYS_DATABASE_URL") or setting("AUTOS_DATABASE_URL", "database_url")


@app.command()
def create(
    client: Annotated[str, typer.Argument(help="The client's id; made when it is new.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, download, webhooks, sealed, admin (which is all of them); all by default."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="How long it works; for ever by default.")] = None,
) -> None:
    """Make a key; it is shown this once.

    Example: autos keys create office-17 --scope read --scope download --days 365
    """
    from ops.clients import SCOPES, create_key
    from shared.clock import utc_now

    secrets = header_keys().secrets
    expires_at = utc_now() + timedelta(days=days) if days else None
    try:
        key_id, key = create_key(
            _database_url(),
            client,
            name=name,
            scopes=tuple(scope) if scope else SCOPES,
            expires_at=expires_at,
            secrets=secrets,
        )
    except ValueError as error:
        raise fail(str(error), status=2) from error
    if not secrets:
        typer.echo("AUTOS_SECRETS_KEY is not set: the key's hash is stored without a pepper", err=True)
    typer.echo(f"key id: {key_id}")
    typer.echo(key)


@app.command("list")
def list_() -> None:
    """List the keys (never the keys themselves), and which of them see sealed cases that their client asked for.

    Example: autos keys list
    """
    from ops.clients import list_keys

    for key in list_keys(_database_url()):
        state = "revoked" if key.revoked_at else "works"
        expiry = f" until {key.expires_at:%Y-%m-%d}" if key.expires_at else ""
        # Not only by its own name: admin is all scopes.
        sees = "  sees sealed cases" if {"sealed", "admin"} & set(key.scopes) else ""
        scopes = ",".join(key.scopes)
        typer.echo(f"{key.key_id}  {key.client_id}  {key.prefix}…  {scopes}  {state}{expiry}  {key.name}{sees}")


@app.command()
def revoke(key_id: str) -> None:
    """End a key; every replica refuses it within 5 seconds.

    Example: autos keys revoke 5b0e9e2c-6b1c-4a53-8a56-0b6a1d4f1c11
    """
    from ops.clients import revoke_key

    try:
        uuid.UUID(key_id)
    except ValueError:
        raise fail(f"{key_id[:64]} is no id of a key: `autos keys list` shows them", status=2) from None
    if not revoke_key(_database_url(), key_id):
        raise fail(f"no working key has the id {key_id[:64]}", status=2)
    typer.echo("revoked")
