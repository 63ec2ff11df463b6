"""``autos storage``: what each service may do at the object store."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from autos.context import fail, read_stack
from autos.deep_check import storage_settings

app = typer.Typer(help="The object store, and who may do what with it.", no_args_is_help=True)


@app.callback()
def storage() -> None:
    """The object store, and who may do what with it."""


@app.command()
def policies(
    bucket: Annotated[str, typer.Option(envvar="AUTOS_S3_BUCKET", help="The bucket.")] = "autos",
    seaweedfs: Annotated[
        bool,
        typer.Option("--seaweedfs", help="The file of SeaweedFS's -s3.config instead, with AUTOS_S3_SECRETS in it."),
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Give the users autos-api, autos-downloader, … these policies (IAM's API).")
    ] = False,
    iam_endpoint: Annotated[
        str | None, typer.Option(help="Where the IAM API is, if not at AUTOS_S3_ENDPOINT_URL or at AWS.")
    ] = None,
) -> None:
    """Print a policy for each service, by its name, in the form of AWS IAM.

    Example: autos storage policies
    """
    from ops import storage_access

    if apply:
        _apply(bucket, iam_endpoint)
        return
    if not seaweedfs:
        found = {identity: storage_access.policy(identity, bucket) for identity in storage_access.IDENTITIES}
        typer.echo(json.dumps(found, indent=2))
        return
    try:
        secrets = json.loads(os.environ.get("AUTOS_S3_SECRETS") or "null")
        if not isinstance(secrets, dict) or not all(isinstance(one, str) and one for one in secrets.values()):
            raise ValueError
        typer.echo(json.dumps(storage_access.seaweedfs(bucket, secrets), indent=2))
    except ValueError as error:
        raise fail('AUTOS_S3_SECRETS must be JSON, a secret for each identity: {"api": "…"}', status=2) from error
    except KeyError as error:
        known = ", ".join(storage_access.IDENTITIES)
        raise fail(f"AUTOS_S3_SECRETS: there is no identity {error.args[0]} (there are {known})", status=2) from error


def _apply(bucket: str, iam_endpoint: str | None) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    from ops.storage_access import NOT_TAKEN, PROVISION, StoreAccess, user

    settings = storage_settings(read_stack() or {})
    refused = False
    try:
        for name, what in StoreAccess(settings, iam_endpoint).apply(bucket):
            typer.echo(f"{name:<18}{what}")
            refused = refused or (what.startswith(NOT_TAKEN) and name != user(PROVISION))
    except ClientError as error:
        found = error.response["Error"]
        raise fail(f"the store refuses: {found.get('Code')} {found.get('Message', '')}".rstrip()) from error
    except BotoCoreError as error:
        raise fail(f"the store does not answer: {error}") from error
    if refused:
        raise typer.Exit(1)
