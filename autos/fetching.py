"""One case of ``autos fetch``: asks for it, follows it, saves its files or its archive, and writes what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from autos.context import AWAY, call, fail
from autos.fetch_reports import manifest, report_json, report_words
from autos.following import documents_of, follow
from autos.saving import Folder, NoProof

PATIENCE_SECONDS: Final = 120.0
"""For how long an API that is away (a restart, a roll-out) is asked again."""
_PASS_SECONDS: Final = 2.0
"""At most so often the documents that have become available are looked for."""
_ARCHIVE_PAUSE_SECONDS: Final = 2.0
COMPLETE, FAILED, USAGE, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of each case."""

    webhook: str | None
    refresh: bool
    archive: bool
    as_json: bool
    filters: dict[str, str]


@dataclass
class Kept:
    """What is saved so far, for whoever stops the command."""

    folders: list[Folder]

    def words(self) -> str:
        """``; 12 files are kept in …``, or nothing when no folder was begun."""
        if not self.folders:
            return ""
        places = ", ".join(str(folder.path) for folder in self.folders if folder.saved) or str(self.folders[-1].path)
        return f"; {sum(len(folder.saved) for folder in self.folders)} files are kept in {places}"


def fetch_case(client: httpx.Client, wish: Wish, number: str, out: Path | None, *, patience: float, kept: Kept) -> int:
    """One case; the exit status that it alone would have. ``patience`` is that of its first request, in seconds.

    Raises Refused when the API does not know the case or may not show it, typer.Exit when it does not answer.
    """
    parameters = {"refresh": str(wish.refresh).lower(), "documents": "false"}
    if wish.webhook:
        parameters["webhook_url"] = wish.webhook
    first = call(client, "GET", f"/processes/{number}", patience=patience, params=parameters).json()
    number = first["process_number"]
    folder = None
    if out is not None:
        make_folder(out)
        folder = Folder(client, number, out, PATIENCE_SECONDS)
        kept.folders.append(folder)
    saving = _Saving(folder, wish.filters) if folder is not None and not wish.archive else None
    view = follow(client, number, seen=saving or (lambda _: None), patience=PATIENCE_SECONDS)
    archive = None
    if saving is not None:
        saving.all()
    elif folder is not None:
        archive = _save_archive(client, number, folder.path, wish.filters)
    documents = list(documents_of(client, number, patience=PATIENCE_SECONDS))
    if folder is not None and not wish.archive:
        _write_manifest(folder, view, documents, wish.filters)
    failed = [document for document in documents if document["status"] == "failed"]
    if wish.as_json:
        typer.echo(report_json(view, failed, folder))
    else:
        for line in report_words(view, failed, folder, archive):
            typer.echo(line)
        for document_id, reason in (folder.lost if folder is not None else {}).items():
            typer.echo(f"  not saved: {document_id}: {reason}", err=True)
    if folder is not None and folder.lost:
        return FAILED
    return {"completed": COMPLETE, "partial": PARTIAL}.get(view["status"], FAILED)


def _write_manifest(
    folder: Folder, view: dict[str, Any], documents: list[dict[str, Any]], filters: dict[str, str]
) -> None:
    """Beside the files: which is which, and the API's signed manifest. Without the latter the files are good still."""
    names = (folder.saved, folder.lost)
    listed = manifest(view, documents, *names, filtered=bool(filters), made_at=datetime.now(UTC))
    try:
        listed["signed"] = folder.signed_manifest(filters)
    except NoProof as reason:
        typer.echo(f"  no signed manifest was saved: {reason}", err=True)
    folder.write_manifest(listed)


def make_folder(path: Path) -> None:
    """Make a folder for files, where there is none. Exits where something is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise fail(f"{path} cannot be a folder for the files: {error.strerror}", status=USAGE) from None


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
            self._folder.client, self._folder.number, patience=PATIENCE_SECONDS, status="available", **self._filters
        )
        for document in wanted:
            self._folder.save(document)
        self._looked_at = time.monotonic()


def _save_archive(client: httpx.Client, number: str, folder: Path, filters: dict[str, str]) -> Path:
    """documents.zip of the case, whole or not at all: what is refused or breaks off leaves no file.

    What breaks off is asked for again while the API may be restarting.
    """
    path = folder / f"{number}.zip"
    part = path.with_suffix(".zip.part")
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while (reason := _try_archive(client, number, part, filters)) is not None:
            if time.monotonic() + _ARCHIVE_PAUSE_SECONDS > deadline:
                raise fail(f"documents.zip of {number} broke off: {reason}; ask again")
            time.sleep(_ARCHIVE_PAUSE_SECONDS)
        return part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _try_archive(client: httpx.Client, number: str, part: Path, filters: dict[str, str]) -> str | None:
    """Why it did not come whole; None when it did. Exits when it is refused."""
    try:
        with client.stream("GET", f"/processes/{number}/documents.zip", params=filters) as answer:
            if answer.status_code in AWAY:
                return f"the API answers {answer.status_code}"
            if answer.status_code != httpx.codes.OK:
                raise fail(f"documents.zip of {number} is answered {answer.status_code}")
            with part.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
    except httpx.TransportError as error:
        return type(error).__name__
    return None
