"""``autos fetch`` and ``autos status``: ask for a case, follow it, save its files."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import time
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from autos.context import call, fail, target

_ENDED = {"completed", "partial", "failed", "cancelled"}
_MAX_STEM = 120
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_LINK_LEFT = 30
"""Seconds that a link must still live when a file is begun."""


def safe_name(
    position: int | None, name: str, document_id: str, content_disposition: str | None, content_type: str | None
) -> str:
    """A file name that every file system takes: ``0007 Petição inicial 1a2b3c4d.pdf``; files sort as in the case.

    The extension is the one in the answer's Content-Disposition, as the API chose it. The links of sealed documents
    name no file: there it is the one that this machine knows for the type.
    """
    text = unicodedata.normalize("NFC", name)
    text = "".join(char if char.isalnum() or char in " ._-()" else "_" for char in text)
    text = re.sub(r"[\s_]+", " ", text).strip(" .") or "document"
    named = _EXTENSION.search(_served_name(content_disposition))
    extension = named[0] if named is not None else mimetypes.guess_extension((content_type or "").split(";")[0]) or ""
    if extension and text.lower().endswith(extension.lower()):
        text = text[: -len(extension)].rstrip(" .") or "document"
    return f"{position or 0:04d} {text[:_MAX_STEM].strip(' .')} {document_id[:8]}{extension}"


def _served_name(content_disposition: str | None) -> str:
    """The file name in a Content-Disposition (RFC 6266); empty when there is none."""
    header = Message()
    header["content-disposition"] = content_disposition or "attachment"
    try:
        return header.get_filename() or ""
    except (LookupError, ValueError):
        return ""


def follow(client: httpx.Client, numero: str, *, deadline: float | None = None) -> dict[str, Any]:
    """Show a progress bar until the case's job ends; the last StatusView. ``deadline`` is in monotonic seconds."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    etag = ""
    view: dict[str, Any] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(numero, total=None)
        while True:
            answer = call(
                client,
                "GET",
                f"/processes/{numero}/status",
                params={"wait": 20, "documents": "false"},
                headers={"if-none-match": etag} if etag else {},
            )
            if answer.status_code != 304:
                view, etag = answer.json(), answer.headers.get("etag", "")
                done = view["completed_documents"] + view["failed_documents"]
                bar.update(task, completed=done, total=view["total_documents"] or None, description=view["status"])
                if view["status"] in _ENDED:
                    bar.update(task, total=max(done, 1), completed=max(done, 1))
                    return view
            if deadline is not None and time.monotonic() > deadline:
                raise fail(f"{numero} is still {view.get('status', 'unknown')}")


def _link(client: httpx.Client, number: str, document: dict[str, Any]) -> str:
    """The document's link, or a new one where that ends soon: those of sealed documents live five minutes."""
    left = datetime.fromisoformat(document["download_url_expires_at"]) - datetime.now(UTC)
    if left > timedelta(seconds=_LINK_LEFT):
        return str(document["download_url"])
    answer = call(client, "GET", f"/processes/{number}/documents/{document['id']}/content")
    return answer.headers["location"]


def document_pages(client: httpx.Client, number: str, **wanted: str) -> Iterator[list[dict[str, Any]]]:
    """The documents of a case in its order, a page at a time."""
    cursor: str | None = None
    while True:
        parameters = {**wanted, "limit": "500", **({"cursor": cursor} if cursor is not None else {})}
        page = call(client, "GET", f"/processes/{number}/documents", params=parameters).json()
        yield page["documents"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def download(client: httpx.Client, number: str, documents: list[dict[str, Any]], out: Path) -> int:
    """Save the available documents, checking each SHA-256; how many were saved."""
    out.mkdir(parents=True, exist_ok=True)
    saved = 0
    with httpx.Client(timeout=60.0) as plain:
        for document in documents:
            if document["status"] != "available":
                continue
            digest = hashlib.sha256()
            with plain.stream("GET", _link(client, number, document)) as answer:
                answer.raise_for_status()
                served = answer.headers.get("content-disposition")
                path = out / safe_name(
                    document["position"], document["name"], document["id"], served, document["content_type"]
                )
                part = path.with_suffix(path.suffix + ".part")
                with part.open("wb") as file:
                    for chunk in answer.iter_bytes():
                        digest.update(chunk)
                        file.write(chunk)
            if digest.hexdigest() != document["sha256"]:
                part.unlink()
                raise fail(f"{document['id']}: the file does not have the SHA-256 that the API names")
            part.rename(path)
            saved += 1
    return saved


def fetch(
    numero: str,
    webhook: Annotated[str | None, typer.Option(help="URL to call when the case is complete.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files; without it nothing is saved.")] = None,
    refresh: Annotated[bool, typer.Option(help="Read the case again from the source.")] = False,
) -> None:
    """Ask for a case, follow its download, save its files."""
    with target().client() as client:
        parameters: dict[str, Any] = {"refresh": str(refresh).lower()}
        if webhook:
            parameters["webhook_url"] = webhook
        first = call(client, "GET", f"/processes/{numero}", params=parameters).json()
        number = first["process_number"]
        view = follow(client, number)
        typer.echo(
            f"{number}: {view['status']}, {view['completed_documents']} of {view['total_documents']} available,"
            f" {view['failed_documents']} failed"
        )
        for documents in document_pages(client, number, status="failed"):
            for document in documents:
                typer.echo(f"  {document['id']}  {document['error_code']}: {document['error_message']}")
        if out is not None:
            # A page at a time, so that the links of the last are as fresh as those of the first.
            saved = sum(
                download(client, number, documents, out)
                for documents in document_pages(client, number, status="available")
            )
            typer.echo(f"saved {saved} files in {out}")
    if view["status"] == "failed":
        raise typer.Exit(1)


def status(numero: str) -> None:
    """Show how far a case is."""
    with target().client() as client:
        view = call(client, "GET", f"/processes/{numero}/status").json()
        listed = view["documents"]
        if view["documents_total"] > len(listed):
            listed = [one for page in document_pages(client, view["process_number"]) for one in page]
    typer.echo(f"{view['process_number']}  {view['status']}  {view['progress_percentage']:.0f}%")
    typer.echo(
        f"  job {view['job_id']}: {view['completed_documents']} available, {view['failed_documents']} failed,"
        f" {view['total_documents']} in all"
    )
    if view["error_code"]:
        typer.echo(f"  {view['error_code']}: {view['error_message']}")
    for document in listed:
        reason = f"  {document['error_code']}" if document["error_code"] else ""
        typer.echo(f"  {document['id']}  {document['status']}{reason}")
