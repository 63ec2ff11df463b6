"""The source's fixed answers: JSON, its errors, the shell page."""

from __future__ import annotations

from typing import Final

import orjson

from autos.local.pdpj import pages
from autos.local.pdpj.exchange import Reply

JSON: Final = b"Content-Type: application/json\r\n"
HTML: Final = b"Content-Type: text/html; charset=utf-8\r\n"
TEXT: Final = b"Content-Type: text/plain;charset=UTF-8\r\n"


def json_reply(status: int, content: object, headers: bytes = b"") -> Reply:
    return Reply(status, JSON + headers, orjson.dumps(content))


def message(status: int, text: str) -> Reply:
    """The JSON error of the source's own services."""
    return json_reply(status, {"code": status, "message": text})


def no_records() -> Reply:
    """The data lake's search finds nothing."""
    return message(404, "Não foram encontrados registros para os parâmetros informados")


def page(text: str, status: int = 200) -> Reply:
    return Reply(status, HTML, text.encode())


def unauthorized() -> Reply:
    """The bearer token is missing, expired or revoked."""
    reply = message(401, "Token inválido ou expirado")
    reply.headers += b'WWW-Authenticate: Bearer realm="pje", error="invalid_token"\r\n'
    return reply


def shell() -> Reply:
    """The page that the portal gives for every address it does not know."""
    return page(pages.SHELL)


def gateway_404() -> Reply:
    """What the data lake's gateway gives for a route that it does not know."""
    return Reply(404, b"Content-Type: text/plain; charset=utf-8\r\n", b"404 page not found\n")


def too_many(retry_after: float | str | None) -> Reply:
    return with_retry_after(message(429, "Limite de requisições excedido"), retry_after)


def with_retry_after(reply: Reply, value: float | str | None) -> Reply:
    """Add the header: seconds, or the text as it stands."""
    if value is not None:
        shown = value if isinstance(value, str) else f"{value:g}"
        reply.headers += f"Retry-After: {shown}\r\n".encode("latin-1")
    return reply
