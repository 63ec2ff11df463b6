"""``autos listen``: this client's events, delivered to a developer's machine as a webhook would be."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Annotated, Any, Final

import httpx
import typer

from autos.context import call, fail, target

_WAIT_SECONDS: Final = 25
_PATIENCE_SECONDS: Final = 120.0
_TIMEOUT_SECONDS: Final = 15.0
_LONGEST_PAUSE: Final = 30.0
_INTERRUPTED: Final = 130
_FORBIDDEN: Final = 403


def signed(secret: str, identity: str, at: int, body: bytes) -> str:
    """``webhook-signature`` of a body (Standard Webhooks); ``at`` is seconds of the epoch."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b"%b.%d.%b" % (identity.encode(), at, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def listen(
    forward_to: Annotated[
        str, typer.Option(metavar="URL", help="Your receiver, e.g. http://localhost:3000/hook.", show_default=False)
    ],
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on from here; default: what comes from now on.")
    ] = None,
    types: Annotated[str | None, typer.Option(help="Only these types, separated by commas.")] = None,
) -> None:
    """Deliver this client's events to a receiver on this machine, signed like webhooks, until Ctrl-C.

    An event that the receiver does not take (2xx) is sent again, ever less often; the next one waits for it.

    Example: autos listen --forward-to http://localhost:3000/hook
    """
    cursor = after or "end"
    with target().client() as api, httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as local:
        try:
            secret = _secret(api)
            filters = {"types": types} if types else {}
            # Where "now" is, before anything is said.
            cursor = _page(api, {**filters, "after": cursor, "limit": "1"})["next_cursor"] if after is None else after
            typer.echo(f"listening; events go to {forward_to}, Ctrl-C ends")
            while True:
                # One at a time, so that the cursor is always behind what was delivered.
                page = _page(api, {**filters, "after": cursor, "limit": "1", "wait": str(_WAIT_SECONDS)})
                if page["missed"]:
                    typer.echo("events behind this cursor were too old and are gone", err=True)
                for event in page["events"]:
                    _deliver(local, forward_to, event, secret)
                cursor = page["next_cursor"]
        except KeyboardInterrupt:
            where = "" if cursor == "end" else f"; go on with --after {cursor}"
            raise fail(f"stopped{where}", status=_INTERRUPTED) from None


def _secret(api: httpx.Client) -> str | None:
    """The client's webhook secret; None, with a word about it, where the key may not see it."""
    if api.get("/webhooks/secret").status_code == _FORBIDDEN:
        typer.echo("this key lacks the scope 'webhooks': events are sent without a signature", err=True)
        return None
    found: str = call(api, "GET", "/webhooks/secret", patience=_PATIENCE_SECONDS).json()["secret"]
    return found


def _page(api: httpx.Client, parameters: dict[str, str]) -> dict[str, Any]:
    page: dict[str, Any] = call(api, "GET", "/events", patience=_PATIENCE_SECONDS, params=parameters).json()
    return page


def _deliver(local: httpx.Client, url: str, event: dict[str, Any], secret: str | None) -> None:
    """Send one event until the receiver takes it."""
    body = json.dumps({name: event[name] for name in ("type", "timestamp", "data")}, ensure_ascii=False).encode()
    attempt, pause = 1, 1.0
    while True:
        answer = _send(local, url, event["id"], attempt, body, secret)
        typer.echo(f"{event['timestamp']}  {event['type']}  {event['data'].get('process_number', '')}  {answer}")
        if answer.startswith("2"):
            return
        time.sleep(pause)
        attempt, pause = attempt + 1, min(pause * 2, _LONGEST_PAUSE)


def _send(local: httpx.Client, url: str, identity: str, attempt: int, body: bytes, secret: str | None) -> str:
    """The status that the receiver answers, or why it does not answer."""
    at = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-attempt": str(attempt),
    }
    if secret is not None:
        headers["webhook-signature"] = signed(secret, identity, at, body)
    try:
        return str(local.post(url, content=body, headers=headers).status_code)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        return f"no answer: {type(error).__name__}, will try again"
