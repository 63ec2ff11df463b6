"""``autos delete`` and ``autos deletions``: delete a case with all that is kept of it, and read the certificates."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from autos.context import call, fail, target

_WAIT_SECONDS = 60


def delete(
    numero: Annotated[str, typer.Argument(metavar="NUMERO", help="The case, with or without the mask.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The certificate as JSON.")] = False,
) -> None:
    """Delete a case with everything that is kept of it, for every client. Needs a key of the scope admin.

    The command waits for the end for a minute at most; a deletion that is ordered goes on by itself. The nonce is shown
    this once: with it and the number anybody can show that the certificate is about this case.

    Example: autos delete 0801429-56.2022.4.05.8201 --yes
    """
    if not yes and not typer.confirm(f"Delete everything of {numero}, for every client? It cannot be undone"):
        raise fail("nothing was deleted")
    with target().client() as client:
        found = call(client, "DELETE", f"/processes/{numero}", params={"wait": _WAIT_SECONDS}).json()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if found["status"] != "completed":
        typer.echo(f"ordered: {found['deletion_id']} goes on by itself, `autos deletions` shows its end")
    else:
        typer.echo(
            f"deleted: {found['documents']} documents, {found['objects']} objects, {found['deliveries']} deliveries"
        )
    typer.echo(f"certificate {found['deletion_id']}")
    typer.echo(f"nonce {found['nonce']} (keep it: it ties the certificate to the case, and is shown this once)")


def deletions(
    deletion_id: Annotated[str | None, typer.Argument(help="Of one deletion: its certificate, as JSON.")] = None,
) -> None:
    """List the deletions of cases, newest first, or show the certificate of one. Needs a key of the scope admin.

    A certificate says when the deletion was ordered and by whom, how many of each kind were removed, and the SHA-256 of
    each document. It does not name the case.

    Example: autos deletions c229004a-b3f7-42f3-9d3f-b9f2e3239730
    """
    with target().client() as client:
        if deletion_id is not None:
            typer.echo(json.dumps(call(client, "GET", f"/deletions/{deletion_id}").json(), indent=2))
            return
        page = call(client, "GET", "/deletions", params={"limit": 200}).json()
    for one in page["deletions"]:
        by = one["requested_by"]["client_id"] or "retention"
        typer.echo(
            f"{one['deletion_id']}  {one['status']}  {one['requested_at']}  {by}  {one['documents']} documents,"
            f" {one['objects']} objects, {one['deliveries']} deliveries"
        )
    if page["next_cursor"]:
        typer.echo("(there are more)")
