"""Postman's collection format 2.1 as plain dictionaries: folders, requests, scripts, each with an id that stays."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

Item = dict[str, Any]

SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_NAMESPACE: Final = uuid.UUID("6f6f2b2e-6b0f-5d2c-8d0f-6d5f0a2f9d11")

DEFAULT_WEBHOOK_URL: Final = "http://127.0.0.1:9000/autos"
"""Where the receiver of `make up` listens when the port is free. An address, not a name: it needs no internet."""

NO_KEY: Final = {"type": "noauth"}
BEARER: Final = {"type": "bearer", "bearer": [{"key": "token", "value": "{{api_key}}", "type": "string"}]}


def stable_id(*parts: str) -> str:
    """The same parts have the same id in every run, so that a new collection differs only where something changed."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def folder(name: str, description: str, items: Sequence[Item]) -> Item:
    """A folder of requests or of folders."""
    return {"id": stable_id("folder", name), "name": name, "description": description, "item": list(items)}


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request sends beside its method and path. ``optional_query`` is listed but switched off."""

    query: Mapping[str, str] = field(default_factory=dict)
    optional_query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    auth: Mapping[str, Any] | None = None
    follow_redirects: bool = True


_PLAIN: Final = Sent()


def request(
    place: str,
    name: str,
    method: str,
    path: str,
    sent: Sent = _PLAIN,
    *,
    description: str = "",
    before: Sequence[str] = (),
    tests: Sequence[str] = (),
) -> Item:
    """One request. ``path`` may hold ``{{variables}}``.

    ``place`` and ``name`` make its id; ``before`` and ``tests`` are lines of Postman scripts.
    """
    parameters: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in sent.query.items()]
    parameters += [
        {"key": key, "value": "", "description": text, "disabled": True} for key, text in sent.optional_query.items()
    ]
    query = "&".join(f"{key}={quote(value, safe='{}')}" for key, value in sent.query.items())
    url: dict[str, Any] = {
        "raw": "{{base_url}}" + path + (f"?{query}" if query else ""),
        "host": ["{{base_url}}"],
        "path": path.strip("/").split("/"),
    }
    if parameters:
        url["query"] = parameters
    made: dict[str, Any] = {"method": method, "header": [], "url": url}
    made["header"] = [{"key": key, "value": value} for key, value in sent.headers.items()]
    if sent.body is not None:
        made["header"].append({"key": "Content-Type", "value": "application/json"})
        made["body"] = {"mode": "raw", "raw": json.dumps(sent.body, indent=2), "options": {"raw": {"language": "json"}}}
    if sent.auth is not None:
        made["auth"] = dict(sent.auth)
    if description:
        made["description"] = description
    item: Item = {"id": stable_id(place, name), "name": name, "request": made}
    item["event"] = [_script(kind, lines) for kind, lines in (("prerequest", before), ("test", tests)) if lines]
    if not sent.follow_redirects:
        item["protocolProfileBehavior"] = {"followRedirects": False}
    return item


def _script(kind: str, lines: Sequence[str]) -> dict[str, Any]:
    return {"listen": kind, "script": {"type": "text/javascript", "exec": list(lines)}}


def status_is(*statuses: int) -> list[str]:
    """A test script: the answer has one of these statuses."""
    listed = ", ".join(map(str, statuses))
    return [f'pm.test("answers {listed}", () => pm.expect([{listed}]).to.include(pm.response.code));']


def random_number(variable: str) -> list[str]:
    """A valid number (CNJ Resolution 65/2008) that most likely nobody asked for."""
    return [
        "const sequence = String(Math.floor(Math.random() * 9000000) + 1000000);",
        'const rest = "20248269999";',
        "const digits = 98n - (BigInt(sequence + rest + '00') % 97n);",
        f'pm.collectionVariables.set("{variable}", '
        '`${sequence}-${String(digits).padStart(2, "0")}.2024.8.26.9999`);',
    ]
