"""The ``autos`` command: the local stack, cases, webhooks, keys, operation. One file a group of commands.

Heavy libraries are imported inside the commands, so that ``autos --help`` answers at once.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Annotated, Final

import typer

from autos import (
    __version__,
    access,
    cases,
    dead_letters,
    deletions,
    deliveries,
    demo,
    doctor,
    keys,
    listen,
    product,
    projection,
    repair,
    secrets,
    stack,
    storage,
    topics,
    verify,
)
from autos.context import fail

app = typer.Typer(
    name="autos",
    help="Autos delivers the documents of Brazilian court cases.",
    no_args_is_help=True,
    # A traceback with the values of local variables would show secrets.
    pretty_exceptions_show_locals=False,
)

_LONGEST_REASON: Final = 300
_SECRET: Final = re.compile(r"(?<=://)[^@\s]*(?=@)|(?<=password=)\S+")
"""What a driver's message may hold of a database's address."""

_LOCAL = "Local stack"
_CASES = "Cases"
_WEBHOOKS = "Webhooks"
_OPERATION = "Operation"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autos {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Autos delivers the documents of Brazilian court cases."""


app.command(rich_help_panel=_LOCAL)(stack.up)
app.command(rich_help_panel=_LOCAL)(stack.down)
app.command(rich_help_panel=_LOCAL)(stack.ps)
app.command(rich_help_panel=_LOCAL)(demo.demo)
app.command(rich_help_panel=_CASES)(cases.fetch)
app.command(rich_help_panel=_CASES)(cases.status)
app.command(rich_help_panel=_CASES)(verify.verify)
app.command(rich_help_panel=_OPERATION)(deletions.delete)
app.command(rich_help_panel=_OPERATION)(deletions.deletions)
app.command(rich_help_panel=_WEBHOOKS)(deliveries.deliveries)
app.command(rich_help_panel=_WEBHOOKS)(deliveries.redeliver)
app.command(rich_help_panel=_WEBHOOKS)(listen.listen)
app.add_typer(keys.app, name="keys", rich_help_panel=_OPERATION)
app.add_typer(access.app, name="access", rich_help_panel=_OPERATION)
app.add_typer(secrets.app, name="secrets", rich_help_panel=_OPERATION)
app.add_typer(dead_letters.app, name="dead", rich_help_panel=_OPERATION)
app.add_typer(projection.app, name="projection", rich_help_panel=_OPERATION)
app.add_typer(topics.app, name="topics", rich_help_panel=_OPERATION)
app.add_typer(storage.app, name="storage", rich_help_panel=_OPERATION)
app.command(rich_help_panel=_OPERATION)(doctor.doctor)
app.command(rich_help_panel=_OPERATION)(repair.repair)


def main() -> None:
    """The entry point of the installed command."""
    # The clients' log lines about servers that are away say in many lines what the command says in one.
    logging.getLogger().addHandler(logging.NullHandler())
    product.make_importable()
    try:
        app()
    except ModuleNotFoundError as error:
        if not product.in_wheel() or os.environ.get("AUTOS_DEBUG"):
            raise
        message = f"this command needs packages that are not installed ({error.name}): pip install 'autos[local]'"
        sys.exit(fail(message).exit_code)
    except Exception as error:
        if os.environ.get("AUTOS_DEBUG"):
            raise
        sys.exit(fail(f"{_reason(error)} (AUTOS_DEBUG=1 shows where)", status=2).exit_code)


def _reason(error: Exception) -> str:
    """An error in one line, without passwords; of the database what its driver says."""
    driver = getattr(error, "orig", None)
    what = "the database refused or did not answer" if isinstance(driver, Exception) else type(error).__name__
    words = str(driver or error).strip().partition("\n")[0][:_LONGEST_REASON]
    return f"{what}: {_SECRET.sub('***', words)}"


if __name__ == "__main__":
    main()
