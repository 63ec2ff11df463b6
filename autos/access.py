"""``autos access``: who read what, from the API, with a key of the scope ``admin``."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from autos.context import call, fail, target

if TYPE_CHECKING:
    import httpx

app = typer.Typer(help="Who read what.", no_args_is_help=True)

_FORMATS: Final = ("jsonl", "csv")
_PATIENCE_SECONDS: Final = 60.0


@app.callback()
def _group() -> None:
    """Who read what."""


@app.command()
def export(
    numero: Annotated[str | None, typer.Option(help="Only what was read of this case.")] = None,
    client: Annotated[str | None, typer.Option(help="Only what this client read.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was read then or later: a date or a time.")] = None,
    format_: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
) -> None:
    """Write the access log to standard output, the newest first: a line for each case in each answer.

    Example: autos access export --numero 1000145-91.2023.8.26.0597 --format csv
    """
    if format_ not in _FORMATS:
        raise fail(f"the format is {' or '.join(_FORMATS)}", status=2)
    wanted = {name: value for name, value in (("numero", numero), ("client", client), ("since", since)) if value}
    with target().client() as api:
        entries = _entries(api, wanted)
        if format_ == "jsonl":
            for entry in entries:
                sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n")
            return
        writer: csv.DictWriter[str] | None = None
        for entry in entries:
            if writer is None:
                writer = csv.DictWriter(sys.stdout, list(entry))
                writer.writeheader()
            writer.writerow(entry)


def _entries(api: httpx.Client, wanted: dict[str, str]) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        parameters = {**wanted, "limit": "500", **({"cursor": cursor} if cursor is not None else {})}
        page = call(api, "GET", "/access-log", params=parameters, patience=_PATIENCE_SECONDS).json()
        yield from page["entries"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
