"""``autos deliveries`` and ``autos redeliver``: what became of the webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import httpx
import typer

from autos.context import call, fail, target

_PAGE: Final = 200


def deliveries(
    process_number: Annotated[str | None, typer.Option("--process", help="Only of this case.")] = None,
    status: Annotated[str | None, typer.Option(help="Only in this state, e.g. exhausted.")] = None,
) -> None:
    """List this client's webhook deliveries, newest first.

    Example: autos deliveries --status exhausted
    """
    parameters: dict[str, Any] = {}
    if process_number:
        parameters["process_number"] = process_number
    if status:
        parameters["status"] = status
    with target().client() as client:
        page = call(client, "GET", "/webhooks/deliveries", params=parameters).json()
    for delivery in page["deliveries"]:
        typer.echo(
            f"{delivery['id']}  {delivery['process_number'] or '-'}  {delivery['status']}"
            f"  attempts {delivery['attempt_count']}  {delivery['updated_at']}  {delivery['url']}"
            f"{_last_error(delivery)}"
        )
    if page.get("next_cursor"):
        typer.echo("(there are more)")


def _last_error(delivery: dict[str, Any]) -> str:
    """The status that the receiver answered last, or why it did not answer; nothing after a success."""
    if delivery["status"] == "delivered":
        return ""
    return "".join(f"  {found}" for found in (delivery["last_status_code"], delivery["last_error_code"]) if found)


def redeliver(
    delivery_id: Annotated[str | None, typer.Argument(help="The delivery, from `autos deliveries`.")] = None,
    exhausted_since: Annotated[
        str | None,
        typer.Option(help="Instead: all that were given up since a time, e.g. 2026-11-23T12:00Z. UTC without a zone."),
    ] = None,
) -> None:
    """Send a delivery again, in a new round of attempts; or all that were given up since a time.

    Example: autos redeliver --exhausted-since 2026-11-23T12:00Z
    """
    if (delivery_id is None) == (exhausted_since is None):
        raise fail("name one delivery, or give --exhausted-since", status=2)
    since = _moment(exhausted_since) if exhausted_since is not None else None
    with target().client() as client:
        asked = [delivery_id] if since is None else list(_exhausted(client, since))
        for wanted in asked:
            call(client, "POST", f"/webhooks/deliveries/{wanted}/redeliver")
    typer.echo("asked for" if since is None else f"asked for {len(asked)}")


def _exhausted(client: httpx.Client, since: datetime) -> Iterator[str]:
    """The deliveries given up since then. One may be much older than that, so every page is read."""
    parameters: dict[str, Any] = {"status": "exhausted", "limit": _PAGE}
    while True:
        page = call(client, "GET", "/webhooks/deliveries", params=parameters).json()
        # Nothing changes an exhausted delivery but a new round, so its last change was the end of the last one.
        yield from (found["id"] for found in page["deliveries"] if _moment(found["updated_at"]) >= since)
        if not page.get("next_cursor"):
            return
        parameters["cursor"] = page["next_cursor"]


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise fail(f"{text} is not a time (RFC 3339, e.g. 2026-11-23T12:00Z)", status=2) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
