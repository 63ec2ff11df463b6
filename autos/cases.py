"""``autos fetch`` and ``autos status``: what a client asks of the API, from the command line."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from autos.context import Refused, call, fail, target
from autos.fetch_reports import SEALED, refused_json, seal_of
from autos.fetching import INTERRUPTED, PARTIAL, PATIENCE_SECONDS, USAGE, Kept, Wish, fetch_case, make_folder
from autos.following import documents_of

_ABOUT_THE_CASE: Final = frozenset({404, 409, 410, 422})
"""Refusals that are about one case: the others are asked for all the same."""

_FETCH_HELP = """Ask for cases, follow their downloads, save their files.

Files are saved as they become available, numbered in the order of the case; manifest.json beside them says what each is
and what is missing, and why. Running the command again fetches only what is not there yet. Exit status: 0 all documents
are available, 3 some failed, 1 a case failed, 2 wrong usage.

Examples:

    autos fetch 0801429-56.2022.4.05.8201 --out files

    autos fetch --from-csv cases.csv --out files --json
"""


def fetch(
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="[NUMERO]...", help="Case numbers, with or without the mask.")
    ] = None,
    webhook: Annotated[str | None, typer.Option(help="URL to call when a case is complete.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; with several cases each has a folder of its own in it.")
    ] = None,
    refresh: Annotated[bool, typer.Option(help="Read the cases again from the source.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Save only what was filed since then, e.g. 2026-11-01.")
    ] = None,
    zip_: Annotated[bool, typer.Option("--zip", help="Save one archive per case instead of files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON per case on stdout.")] = False,
    from_csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Case numbers from the first column of a CSV file.")
    ] = None,
) -> None:
    wanted = [*(numbers or ()), *(_numbers_in(from_csv) if from_csv is not None else ())]
    if not wanted:
        raise fail("name a case, or give --from-csv FILE", status=USAGE)
    if out is None and (zip_ or since):
        raise fail("--zip and --since say what is saved: give --out DIR too", status=USAGE)
    if since is not None and not _is_time(since):
        raise fail(f"--since {since[:40]}: a date is wanted, e.g. 2026-11-01", status=USAGE)
    if out is not None:
        # What is in the way is said before anything is asked for.
        make_folder(out)
    wish = Wish(webhook, refresh, zip_, as_json, {"since": since} if since is not None else {})
    worst = _fetch_all(wish, list(dict.fromkeys(wanted)), out)
    if worst:
        raise typer.Exit(worst)


fetch.__doc__ = _FETCH_HELP


def status(
    numero: Annotated[str, typer.Argument(metavar="NUMERO", help="The case, with or without the mask.")],
) -> None:
    """Show how far a case is.

    Example: autos status 0801429-56.2022.4.05.8201
    """
    with target().client() as client:
        view = call(client, "GET", f"/processes/{numero}/status", params={"documents": "false"}).json()
        seal = SEALED if view.get("sealed") else ""
        typer.echo(f"{view['process_number']}{seal}  {view['status']}  {view['progress_percentage']:.0f}%")
        typer.echo(
            f"  job {view['job_id']}: {view['completed_documents']} available, {view['failed_documents']} failed,"
            f" {view['total_documents']} in all"
        )
        if view["error_code"]:
            typer.echo(f"  {view['error_code']}: {view['error_message']}")
        for document in documents_of(client, view["process_number"]):
            reason = f"  {document['error_code']}" if document["error_code"] else ""
            typer.echo(f"  {document['id']}  {document['status']}{seal_of(document)}{reason}")


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _numbers_in(file: Path) -> list[str]:
    """The first cells of a CSV file in UTF-8 or, as spreadsheets save it in Brazil, in Windows-1252 with semicolons."""
    try:
        content = file.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252")
        delimiter = next((one for one in ";\t" if one in text), ",")
        cells = [row[0].strip() for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise fail(f"{file} cannot be read: {error}", status=USAGE) from None
    # A heading has no digit.
    return [cell for cell in cells if any(char.isdigit() for char in cell)]


def _fetch_all(wish: Wish, numbers: list[str], out: Path | None) -> int:
    """The worst exit status of all cases; a failed case is worse than a partial one."""
    worst, kept = 0, Kept([])
    with target().client() as client:
        try:
            for nth, number in enumerate(numbers):
                folder = out if out is None or len(numbers) == 1 else out / "".join(filter(str.isalnum, number))
                # An API that never answered is the wrong address rather than a restart.
                patience = PATIENCE_SECONDS if nth else 0.0
                status = _fetch_one(client, wish, number, folder, patience, kept, alone=len(numbers) == 1)
                worst = status if worst in (0, PARTIAL) and status else worst
        except KeyboardInterrupt:
            raise fail(f"stopped{kept.words()}. The same command goes on from here", status=INTERRUPTED) from None
    return worst


def _fetch_one(
    client: httpx.Client, wish: Wish, number: str, folder: Path | None, patience: float, kept: Kept, *, alone: bool
) -> int:
    try:
        return fetch_case(client, wish, number, folder, patience=patience, kept=kept)
    except Refused as refused:
        if wish.as_json:
            typer.echo(refused_json(number, refused.problem_code, refused.detail))
        if alone or refused.answered not in _ABOUT_THE_CASE:
            raise
        if not wish.as_json:
            typer.echo(f"{number}: refused: {refused.problem_code}")
        return refused.exit_code
