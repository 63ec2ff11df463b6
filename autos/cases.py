"""``autos fetch`` and ``autos status``: what a client asks of the API, from the command line."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

from autos.context import call, fail, target
from autos.following import documents_of, follow
from autos.saving import Folder

_PATIENCE_SECONDS: Final = 120.0
"""For how long an API that is away (a restart, a roll-out) is asked again."""
_PASS_SECONDS: Final = 2.0
"""At most so often the documents that have become available are looked for."""
_FAILED, _USAGE, _PARTIAL, _INTERRUPTED = 1, 2, 3, 130


@dataclass(frozen=True)
class _Wish:
    """What is wanted of each case."""

    webhook: str | None
    refresh: bool
    archive: bool
    as_json: bool
    filters: dict[str, str]


_FETCH_HELP = """Ask for cases, follow their downloads, save their files.

Files are saved as they become available, numbered in the order of the case. Running the command again fetches only what
is not there yet. Exit status: 0 all documents are available, 3 some failed, 1 a case failed, 2 wrong usage.

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
        raise fail("name a case, or give --from-csv FILE", status=_USAGE)
    if out is None and (zip_ or since):
        raise fail("--zip and --since say what is saved: give --out DIR too", status=_USAGE)
    wish = _Wish(webhook, refresh, zip_, as_json, {"since": since} if since is not None else {})
    worst = 0
    with target().client() as client:
        for nth, number in enumerate(wanted):
            folder = out if out is None or len(wanted) == 1 else out / "".join(filter(str.isalnum, number))
            # An API that never answered is the wrong address rather than a restart.
            status = _fetch_case(client, wish, number, folder, _PATIENCE_SECONDS if nth else 0.0)
            # A failed case is worse than a partial one.
            worst = status if worst in (0, _PARTIAL) and status else worst
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
        typer.echo(f"{view['process_number']}  {view['status']}  {view['progress_percentage']:.0f}%")
        typer.echo(
            f"  job {view['job_id']}: {view['completed_documents']} available, {view['failed_documents']} failed,"
            f" {view['total_documents']} in all"
        )
        if view["error_code"]:
            typer.echo(f"  {view['error_code']}: {view['error_message']}")
        for document in documents_of(client, view["process_number"]):
            reason = f"  {document['error_code']}" if document["error_code"] else ""
            typer.echo(f"  {document['id']}  {document['status']}{reason}")


def _numbers_in(file: Path) -> list[str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            cells = [row[0].strip() for row in csv.reader(text) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise fail(f"{file} cannot be read: {error}", status=_USAGE) from None
    # A heading has no digit.
    return [cell for cell in cells if any(char.isdigit() for char in cell)]


def _fetch_case(client: httpx.Client, wish: _Wish, number: str, out: Path | None, patience: float) -> int:
    """One case; the exit status that it alone would have. ``patience`` is that of its first request, in seconds."""
    parameters = {"refresh": str(wish.refresh).lower(), "documents": "false"}
    if wish.webhook:
        parameters["webhook_url"] = wish.webhook
    first = call(client, "GET", f"/processes/{number}", patience=patience, params=parameters).json()
    number = first["process_number"]
    folder = _folder(client, number, out) if out is not None else None
    saving = _Saving(folder, wish.filters) if folder is not None and not wish.archive else None
    try:
        view = follow(client, number, seen=saving or (lambda _: None), patience=_PATIENCE_SECONDS)
        if saving is not None:
            saving.all()
        elif folder is not None:
            _save_archive(client, number, folder.path, wish.filters)
    except KeyboardInterrupt:
        kept = f"; {len(folder.saved)} files are kept in {folder.path}" if folder is not None else ""
        raise fail(f"stopped{kept}. The same command goes on from here", status=_INTERRUPTED) from None
    failed = list(documents_of(client, number, patience=_PATIENCE_SECONDS, status="failed"))
    report = _as_json if wish.as_json else _as_words
    report(view, folder, failed)
    if folder is not None and folder.lost:
        return _FAILED
    return {"completed": 0, "partial": _PARTIAL}.get(view["status"], _FAILED)


def _folder(client: httpx.Client, number: str, path: Path) -> Folder:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise fail(f"{path} cannot be a folder for the files: {error.strerror}", status=_USAGE) from None
    return Folder(client, number, path, _PATIENCE_SECONDS)


class _Saving:
    """Saves what has become available while the job goes on."""

    def __init__(self, folder: Folder, filters: dict[str, str]) -> None:
        self._folder = folder
        self._filters = filters
        self._available = 0
        self._looked_at = float("-inf")

    def __call__(self, view: dict[str, Any]) -> None:
        news = view["completed_documents"] > self._available
        if news and time.monotonic() - self._looked_at >= _PASS_SECONDS:
            self._available = view["completed_documents"]
            self.all()

    def all(self) -> None:
        """Save every document that is available now and not saved yet."""
        wanted = documents_of(
            self._folder.client, self._folder.number, patience=_PATIENCE_SECONDS, status="available", **self._filters
        )
        for document in wanted:
            self._folder.save(document)
        self._looked_at = time.monotonic()


def _save_archive(client: httpx.Client, number: str, folder: Path, filters: dict[str, str]) -> None:
    """documents.zip of the case, whole or not at all: what is refused or breaks off leaves no file."""
    path = folder / f"{number}.zip"
    part = path.with_suffix(".zip.part")
    try:
        with client.stream("GET", f"/processes/{number}/documents.zip", params=filters) as answer:
            if answer.status_code != 200:
                raise fail(f"documents.zip of {number} is answered {answer.status_code}")
            with part.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        part.rename(path)
    except httpx.TransportError as error:
        raise fail(f"documents.zip of {number} broke off: {type(error).__name__}; ask again") from error
    finally:
        part.unlink(missing_ok=True)


def _as_json(view: dict[str, Any], folder: Folder | None, failed: list[dict[str, Any]]) -> None:
    fields = ("id", "name", "error_code", "error_message")
    line = {
        **{name: view[name] for name in ("process_number", "job_id", "status", "error_code", "error_message")},
        **{f"{name}_documents": view[f"{name}_documents"] for name in ("total", "completed", "failed")},
        "failed": [{name: document[name] for name in fields} for document in failed],
        "saved": len(folder.saved) if folder is not None else None,
        "not_saved": folder.lost if folder is not None else None,
    }
    typer.echo(json.dumps(line, ensure_ascii=False))


def _as_words(view: dict[str, Any], folder: Folder | None, failed: list[dict[str, Any]]) -> None:
    typer.echo(
        f"{view['process_number']}: {view['status']}, {view['completed_documents']} of {view['total_documents']}"
        f" available, {view['failed_documents']} failed"
    )
    if view["error_code"]:
        typer.echo(f"  {view['error_code']}: {view['error_message']}")
    for document in failed:
        name = f"{document['name']} ({document['id']})"
        typer.echo(f"  failed: {name}: {document['error_code']}: {document['error_message']}")
    if folder is None:
        return
    there = f", {folder.kept} of them were there already" if folder.kept else ""
    typer.echo(f"saved {len(folder.saved)} files in {folder.path}{there}")
    for document_id, reason in folder.lost.items():
        typer.echo(f"  not saved: {document_id}: {reason}", err=True)
