"""The ``autos`` command: the local stack, cases, webhooks, keys, operation. One file a group of commands.

Heavy libraries are imported inside the commands, so that ``autos --help`` answers at once.
"""

from __future__ import annotations

import typer

from autos import cases, dead, deliveries, demo, doctor, keys, projection, repair, stack, topics

app = typer.Typer(
    name="autos",
    help="Autos delivers the documents of Brazilian court cases.",
    no_args_is_help=True,
    # A traceback with the values of local variables would show secrets.
    pretty_exceptions_show_locals=False,
    add_completion=False,
)

_LOCAL = "Local stack"
_CASES = "Cases"
_WEBHOOKS = "Webhooks"
_OPERATION = "Operation"

app.command(rich_help_panel=_LOCAL)(stack.up)
app.command(rich_help_panel=_LOCAL)(stack.down)
app.command(rich_help_panel=_LOCAL)(stack.ps)
app.command(rich_help_panel=_LOCAL)(demo.demo)
app.command(rich_help_panel=_CASES)(cases.fetch)
app.command(rich_help_panel=_CASES)(cases.status)
app.command(rich_help_panel=_WEBHOOKS)(deliveries.deliveries)
app.command(rich_help_panel=_WEBHOOKS)(deliveries.redeliver)
app.add_typer(keys.app, name="keys", rich_help_panel=_OPERATION)
app.add_typer(dead.app, name="dead", rich_help_panel=_OPERATION)
app.add_typer(projection.app, name="projection", rich_help_panel=_OPERATION)
app.command(rich_help_panel=_OPERATION)(topics.topics)
app.command(rich_help_panel=_OPERATION)(doctor.doctor)
app.command(rich_help_panel=_OPERATION)(repair.repair)


def main() -> None:
    """The entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
