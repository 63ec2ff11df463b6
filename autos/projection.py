"""``autos projection rebuild``: make the projection anew from document.events, beside the running system."""

from __future__ import annotations

import os

import typer

from autos.context import fail, kafka_config, setting

app = typer.Typer(help="The projection of document.events (schema progress).", no_args_is_help=True)


@app.command()
def rebuild() -> None:
    """Read document.events from the start into new tables and swap them in one transaction.

    Example: autos projection rebuild
    """
    from services.status.rebuild import RebuildRefused
    from services.status.rebuild import rebuild as run
    from shared.errors import InfrastructureAway

    try:
        done = run(
            setting("AUTOS_DATABASE_URL", "database_url"),
            setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka"),
            kafka_config=kafka_config(),
            public_url=os.environ.get("AUTOS_API_PUBLIC_URL"),
        )
    except RebuildRefused as error:
        raise fail(f"refused, nothing was changed: {error}") from error
    except InfrastructureAway as error:
        raise fail(f"{error.what} does not answer; nothing was changed", status=2) from error
    typer.echo(
        f"rebuilt from {done.events} events: {done.jobs} jobs, {done.documents} documents"
        f" ({done.skipped} records skipped, {done.announced} ends announced)"
    )
    if done.carried:
        typer.echo(f"the topic no longer has the first events of {done.carried} jobs: their rows were carried over")


@app.callback()
def _group() -> None:
    """Keep ``rebuild`` a command of its own while it is the only one."""
