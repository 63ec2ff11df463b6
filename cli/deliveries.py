"""``autos deliveries`` and ``autos redeliver``: what became of the webhooks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.context import call, target


def deliveries(
    process_number: Annotated[str | None, typer.Option("--process", help="Only of this case.")] = None,
    status: Annotated[str | None, typer.Option(help="Only in this state, e.g. exhausted.")] = None,
) -> None:
    """List this client's webhook deliveries, newest first."""
    parameters: dict[str, Any] = {}
    if process_number:
        parameters["process_number"] = process_number
    if status:
        parameters["status"] = status
    with target().client() as client:
        page = call(client, "GET", "/webhooks/deliveries", params=parameters).json()
    for delivery in page["deliveries"]:
        typer.echo(
            f"{delivery['id']}  {delivery['process_number']}  {delivery['status']}"
            f"  attempts {delivery['attempt_count']}"
        )
    if page.get("next_cursor"):
        typer.echo("(there are more)")


def redeliver(delivery_id: str) -> None:
    """Send a delivery again, in a new round of attempts."""
    with target().client() as client:
        call(client, "POST", f"/webhooks/deliveries/{delivery_id}/redeliver")
    typer.echo("asked for")
