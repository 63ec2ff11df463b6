"""A case as the command follows it: its status until the job ends, and its documents a page at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx

from autos.context import call, fail

ENDED: Final = frozenset({"completed", "partial", "failed", "cancelled"})
_LONG_POLL_SECONDS: Final = 20
_PAGE: Final = 500

Seen = Callable[[dict[str, Any]], None]


def follow(
    client: httpx.Client,
    number: str,
    *,
    seen: Seen = lambda _: None,
    deadline: float | None = None,
    patience: float = 0.0,
) -> dict[str, Any]:
    """Show a progress bar until the case's job ends; returns the last StatusView, without its documents.

    ``seen`` gets each new view. ``deadline`` is in monotonic seconds; past it the command ends with one line.
    ``patience`` is for how many seconds an API that does not answer is asked again.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    etag = ""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # On stderr, so that stdout has what other programs read.
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(number, total=None)
        while True:
            answer = call(
                client,
                "GET",
                f"/processes/{number}/status",
                patience=patience,
                params={"wait": _LONG_POLL_SECONDS, "documents": "false"},
                headers={"if-none-match": etag} if etag else {},
            )
            if answer.status_code != 304:
                view: dict[str, Any] = answer.json()
                etag = answer.headers.get("etag", "")
                done = view["completed_documents"] + view["failed_documents"]
                bar.update(task, completed=done, total=view["total_documents"] or None, description=view["status"])
                seen(view)
                if view["status"] in ENDED:
                    bar.update(task, total=max(done, 1), completed=max(done, 1))
                    return view
            if deadline is not None and time.monotonic() > deadline:
                raise fail(f"{number} has not ended yet")


def documents_of(
    client: httpx.Client, number: str, *, patience: float = 0.0, **wanted: str
) -> Iterator[dict[str, Any]]:
    """The documents of a case in its order; ``wanted`` are the filters of GET /processes/{numero}/documents."""
    cursor: str | None = None
    while True:
        parameters = {**wanted, "limit": str(_PAGE), **({"cursor": cursor} if cursor is not None else {})}
        page = call(client, "GET", f"/processes/{number}/documents", patience=patience, params=parameters).json()
        yield from page["documents"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
