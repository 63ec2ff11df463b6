"""The source's fixed answers: every failure of docs/reference/pdpj.md, the shell page, the log-in errors."""

from __future__ import annotations

from typing import Final

import orjson

from autos.local.pdpj.exchange import Ending, Reply
from autos.local.pdpj.failures import FailureKind, FailureRule

JSON: Final = b"Content-Type: application/json\r\n"
HTML: Final = b"Content-Type: text/html; charset=utf-8\r\n"

SHELL_PAGE: Final = """<!doctype html>
<html lang="pt-br" data-critters-container>
<head>
  <meta charset="utf-8">
  <title>Portal de Serviços</title>
  <base href="/">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="icon" type="image/x-icon" href="favicon.ico">
  <link rel="stylesheet" href="styles.css">
</head>
<body class="mat-typography">
  <app-root ng-version="17.3.12"></app-root>
  <script src="runtime.js" type="module"></script><script src="main.js" type="module"></script>
</body>
</html>
""".encode()

_FIREWALL_PAGE: Final = (
    b"<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. "
    b"Please consult with your administrator.<br><br>Your support ID is: 4829100473616351027</body></html>"
)

_MALFORMED: Final = {
    FailureKind.MALFORMED_LENGTHS: b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n%PDF",
    FailureKind.MALFORMED_LENGTH: b"HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\n%PDF",
    FailureKind.MALFORMED_STATUS: b"WELCOME TO THE PORTAL\r\n\r\n",
    FailureKind.MALFORMED_HEADER: b"HTTP/1.1 200 OK\r\nServer unknown\r\nContent-Length: 4\r\n\r\n%PDF",
}


def json_reply(status: int, content: object, headers: bytes = b"") -> Reply:
    return Reply(status, JSON + headers, orjson.dumps(content))


def message(status: int, text: str) -> Reply:
    """The JSON error of the source's own services."""
    return json_reply(status, {"status": status, "message": text})


def unauthorized() -> Reply:
    """The bearer token is missing, expired or revoked."""
    reply = message(401, "Token inválido ou expirado")
    reply.headers += b'WWW-Authenticate: Bearer realm="pje", error="invalid_token"\r\n'
    return reply


def shell() -> Reply:
    """The page that the portal gives for every address it does not know."""
    return Reply(200, HTML, SHELL_PAGE)


def too_many(retry_after: float | str | None) -> Reply:
    return _retry_after(message(429, "Limite de requisições excedido"), retry_after)


def failure(rule: FailureRule, good: Reply) -> Reply:
    """The failing answer in place of the good one (which a cut, a late reset or a late hang starts to send)."""
    match rule.kind:
        case FailureKind.UNAUTHORIZED_TOKEN:
            return unauthorized()
        case FailureKind.NO_ACCESS_401:
            return message(401, "Usuário não possui acesso ao processo")
        case FailureKind.NO_ACCESS_403:
            return message(403, "O usuário não possui acesso ao documento solicitado")
        case FailureKind.FIREWALL_403:
            return Reply(403, HTML, _FIREWALL_PAGE)
        case FailureKind.NOT_FOUND_404:
            return message(404, "Não encontrado")
        case FailureKind.EMPTY_LIST:
            return json_reply(200, [])
        case FailureKind.EMPTY_CONTENT:
            return json_reply(200, {"content": []})
        case FailureKind.ERROR_500:
            return message(500, "Erro interno no servidor")
        case FailureKind.SPA_SHELL:
            return shell()
        case FailureKind.RATE_LIMIT:
            return too_many(rule.retry_after)
        case FailureKind.BAD_GATEWAY_502 | FailureKind.UNAVAILABLE_503 | FailureKind.TIMEOUT_504:
            return _gateway(rule)
        case FailureKind.EMPTY_BODY:
            return Reply(good.status, good.headers, b"")
        case FailureKind.SHORT_BODY:
            good.ending = Ending.CUT
            good.after_bytes = len(good.body) // 2 if rule.after_bytes is None else rule.after_bytes
            return good
        case FailureKind.RESET:
            good.ending, good.after_bytes = Ending.RESET, rule.after_bytes
            return good
        case FailureKind.HANG:
            good.ending, good.after_bytes = Ending.HANG, rule.after_bytes
            return good
        case FailureKind.DRIP:
            good.bytes_per_second = 1.0
            return good
        case _:
            good.raw = _MALFORMED[rule.kind]
            return good


def _gateway(rule: FailureRule) -> Reply:
    """What the proxy before the source answers when nothing answers behind it."""
    status, phrase = {
        FailureKind.BAD_GATEWAY_502: (502, "Bad Gateway"),
        FailureKind.UNAVAILABLE_503: (503, "Service Temporarily Unavailable"),
        FailureKind.TIMEOUT_504: (504, "Gateway Time-out"),
    }[rule.kind]
    page = f"<html><head><title>{status} {phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>"
    return _retry_after(Reply(status, HTML, page.encode()), rule.retry_after)


def _retry_after(reply: Reply, value: float | str | None) -> Reply:
    """Add the header: seconds, or the text as it stands."""
    if value is not None:
        shown = value if isinstance(value, str) else f"{value:g}"
        reply.headers += f"Retry-After: {shown}\r\n".encode("latin-1")
    return reply
