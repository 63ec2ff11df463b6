"""``autos secrets``: how the database keeps secrets, and their encryption with a new key. As the database's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autos.context import fail, header_keys, setting

if TYPE_CHECKING:
    from ops.secrets import SecretsReport

app = typer.Typer(help="Secrets in the database: how they are kept, and their key.", no_args_is_help=True)


@app.command()
def key() -> None:
    """Make a key for AUTOS_SECRETS_KEY, or for a line of AUTOS_SECRETS_KEY_FILE. It is stored nowhere.

    Example: autos secrets key
    """
    import base64
    import os

    from shared.secrets.keys import KEY_BYTES

    typer.echo(base64.b64encode(os.urandom(KEY_BYTES)).decode())


@app.command()
def status() -> None:
    """Say how many secrets are kept how; the status is 1 when the first key has not encrypted them all.

    Example: autos secrets status
    """
    from ops.secrets import look

    keys = header_keys()
    if not keys.secrets:
        typer.echo("AUTOS_SECRETS_KEY is not set", err=True)
    _say(look(setting("AUTOS_DATABASE_URL", "database_url"), keys))


@app.command()
def rotate(
    to_plain: Annotated[
        bool,
        typer.Option("--to-plain", help="Take the encryption away: before going back to a version without it."),
    ] = False,
) -> None:
    """Encrypt every secret with the first key, and hash API keys with its pepper. May be stopped and started again.

    Services work meanwhile. Each must have the first key already, and keep the others until nothing remains.

    Example: autos secrets rotate
    """
    from ops.secrets import rotate as renew

    keys = header_keys()
    if not keys.secrets:
        raise fail("AUTOS_SECRETS_KEY is not set: `autos secrets key` makes one", status=2)
    report = renew(setting("AUTOS_DATABASE_URL", "database_url"), keys, to_plain=to_plain)
    typer.echo(f"{report.changed} changed")
    if not to_plain:
        _say(report)


def _say(report: SecretsReport) -> None:
    for name, counted in report.kinds.items():
        kept = ", ".join(f"{count} {how}" for how, count in sorted(counted.items())) or "none"
        typer.echo(f"{name}: {kept}")
    if report.remaining:
        raise fail(f"{report.remaining} not encrypted with the first key")
    typer.echo("nothing remains")
