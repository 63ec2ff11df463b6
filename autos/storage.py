"""``autos storage``: what each service may do at the object store."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from autos.context import fail

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
) -> None:
    """Print a policy for each service, by its name, in the form of AWS IAM.

    Example: autos storage policies
    """
    from ops import storage_access

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
