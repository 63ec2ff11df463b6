"""Where the command finds the product: AUTOS_API_URL and AUTOS_API_KEY, else stack.json of the data directory."""

from __future__ import annotations

import itertools
import json
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import typer

if TYPE_CHECKING:
    from shared.webhooks.headers import HeaderKeys

_TIMEOUT_SECONDS = 90.0
AWAY = frozenset({429, 502, 503, 504})
"""Statuses of an API that is busy or being replaced: it is asked again."""


class Refused(typer.Exit):
    """The API answered a problem, which was said; ``answered`` is its HTTP status."""

    def __init__(self, answered: int, code: str, detail: str) -> None:
        super().__init__(1)
        self.answered, self.problem_code, self.detail = answered, code, detail


def fail(message: str, *, status: int = 1) -> typer.Exit:
    """One clear line on stderr; raise what this returns."""
    typer.echo(message, err=True)
    return typer.Exit(status)


def data_dir() -> Path:
    """AUTOS_DATA_DIR, by default ``.autos`` in the current folder."""
    return Path(os.environ.get("AUTOS_DATA_DIR", ".autos"))


def read_stack() -> dict[str, Any] | None:
    """The running local stack's stack.json, or None."""
    try:
        loaded: dict[str, Any] = json.loads((data_dir() / "stack.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return loaded


@dataclass(frozen=True)
class Target:
    """The API to talk to."""

    url: str
    key: str

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, timeout=_TIMEOUT_SECONDS
        )


def target() -> Target:
    """The API, from the environment or the local stack. Exits with a hint when there is neither."""
    url, key = os.environ.get("AUTOS_API_URL"), os.environ.get("AUTOS_API_KEY")
    stack = read_stack() or {}
    url, key = url or stack.get("api_url"), key or stack.get("api_key")
    if not url or not key:
        raise fail("no API known: start one with `autos up`, or set AUTOS_API_URL and AUTOS_API_KEY")
    return Target(url, key)


def setting(variable: str, stack_field: str) -> str:
    """An operator's setting (database, broker) from the environment or stack.json."""
    value = os.environ.get(variable) or (read_stack() or {}).get(stack_field)
    if not value:
        raise fail(f"{variable} is not set and no local stack runs (`autos up`)", status=2)
    return str(value)


def header_keys() -> HeaderKeys:
    """The keys of stored secrets: AUTOS_SECRETS_KEY and its brothers, else those of the running local stack.

    Exits with status 2 on a wrong one.
    """
    from shared.settings import load
    from shared.webhooks.settings import WebhookSealingSettings

    settings = load(WebhookSealingSettings)
    if not settings.header_keys and read_stack() is not None:
        try:
            kept = json.loads((data_dir() / "secrets.json").read_text())
        except (OSError, json.JSONDecodeError):
            kept = {}
        given = {"secrets_key": kept.get("secrets_key"), "webhook_sealing_keys": kept.get("webhook_sealing_key")}
        settings = WebhookSealingSettings.model_validate({name: key for name, key in given.items() if key})
    return settings.header_keys


def record_reading(command: str, process_number: str | None, document_id: str | None = None) -> None:
    """Write into the access log that an operator sees something of a case, before it is shown.

    Exits when the database does not take it. Without AUTOS_DATABASE_URL and a stack it says that nothing is recorded.
    """
    if process_number is None:
        return
    url = os.environ.get("AUTOS_DATABASE_URL") or (read_stack() or {}).get("database_url")
    if not url:
        typer.echo("AUTOS_DATABASE_URL is not set: the access log does not have this reading", err=True)
        return
    from sqlalchemy.exc import SQLAlchemyError

    from shared.db.audit import CaseRead, add_reads
    from shared.db.command_transaction import command_transaction

    try:
        document_id = str(uuid.UUID(document_id)) if document_id is not None else None
    except ValueError:
        document_id = None
    read = CaseRead(process_number, f"autos {command}", document_id=document_id, sees_sealed=True)
    try:
        with command_transaction(str(url), "autos-cli") as connection:
            add_reads(connection, [read])
    except SQLAlchemyError as error:
        raise fail(
            f"the access log cannot be written, so nothing is shown: {type(error).__name__}", status=2
        ) from error


def kafka_config() -> dict[str, Any]:
    """librdkafka's properties from AUTOS_KAFKA_CONFIG (SASL, TLS), as the services have them. Exits on a wrong one."""
    try:
        config = json.loads(os.environ.get("AUTOS_KAFKA_CONFIG") or "{}")
    except json.JSONDecodeError as error:
        raise fail(f"AUTOS_KAFKA_CONFIG is not JSON: {error}", status=2) from None
    if not isinstance(config, dict):
        raise fail(
            'AUTOS_KAFKA_CONFIG must be an object of librdkafka\'s properties, as {"sasl.username": "…"}', status=2
        )
    return config


def call(client: httpx.Client, method: str, path: str, *, patience: float = 0.0, **options: Any) -> httpx.Response:
    """One request; a problem document or a dead connection ends the command with one line.

    With ``patience`` an API that does not answer, or is being replaced (502, 503, 504), is asked again for so many
    seconds; a 429 is waited for as long as it says. Only for requests that may be repeated. Raises Refused.
    """
    deadline = time.monotonic() + patience
    for tried in itertools.count():
        pause = min(2.0**tried / 4, 5.0)
        try:
            answer = client.request(method, path, **options)
        except httpx.TransportError as error:
            if time.monotonic() + pause > deadline:
                raise fail(f"the API at {client.base_url} does not answer: {type(error).__name__}") from error
        else:
            if answer.status_code == 429:
                pause = float(answer.headers.get("retry-after") or pause)
            if answer.status_code not in AWAY or time.monotonic() + pause > deadline:
                break
        time.sleep(pause)
    if answer.status_code >= 400:
        try:
            problem = answer.json()
        except json.JSONDecodeError:
            problem = {}
        detail = problem.get("detail") or problem.get("title") or answer.reason_phrase
        refused = Refused(answer.status_code, str(problem.get("code", answer.status_code)), detail)
        fail(f"{refused.problem_code}: {detail}")
        raise refused
    return answer
