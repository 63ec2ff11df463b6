"""Turns the right answer into the failing one that was switched on."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import Final

from autos.local.pdpj import answers, pages
from autos.local.pdpj.bodies import Body
from autos.local.pdpj.exchange import Ending, Reply
from autos.local.pdpj.failures import FailureKind, FailureRule

FOLLOWED: Final = "redirecionado=sim"
"""The query of an address that a redirect leads to: it is not redirected again."""
ELSEWHERE: Final = "https://arquivos.tribunal.example"

_MALFORMED: Final = {
    FailureKind.MALFORMED_LENGTHS: b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n%PDF",
    FailureKind.MALFORMED_LENGTH: b"HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\n%PDF",
    FailureKind.MALFORMED_STATUS: b"WELCOME TO THE PORTAL\r\n\r\n",
    FailureKind.MALFORMED_HEADER: b"HTTP/1.1 200 OK\r\nServer unknown\r\nContent-Length: 4\r\n\r\n%PDF",
}

_INSTEAD: Final[dict[FailureKind, Callable[[], Reply]]] = {
    FailureKind.UNAUTHORIZED_TOKEN: answers.unauthorized,
    FailureKind.NO_ACCESS_401: lambda: answers.message(401, "Usuário não possui acesso ao processo"),
    FailureKind.NO_ACCESS_403: lambda: answers.message(403, "O usuário não possui acesso ao documento solicitado"),
    FailureKind.FIREWALL_403: lambda: answers.page(pages.F5, 403),
    FailureKind.NOT_FOUND_404: lambda: answers.message(404, "Não encontrado"),
    FailureKind.GATEWAY_404: answers.gateway_404,
    FailureKind.GATEWAY_404_PAGE: lambda: answers.page(pages.NOT_FOUND, 404),
    FailureKind.GATEWAY_404_JSON: lambda: answers.json_reply(404, {"message": "no Route matched with those values"}),
    FailureKind.ERROR_500: lambda: answers.message(500, "Erro interno no servidor"),
    FailureKind.ERROR_500_CODEX: lambda: answers.message(500, "Erro ao recuperar o documento no Codex"),
    FailureKind.EMPTY_LIST: lambda: answers.json_reply(200, []),
    FailureKind.EMPTY_CONTENT: lambda: answers.json_reply(200, {"content": []}),
    FailureKind.NULL_CONTENT: lambda: answers.json_reply(200, {"content": None, "numberOfElements": 0}),
    FailureKind.JSON_ERROR: lambda: answers.json_reply(
        200, {"code": 500, "message": "Falha ao processar a solicitação"}
    ),
    FailureKind.SPA_SHELL: answers.shell,
    FailureKind.FIREWALL_F5: lambda: answers.page(pages.F5),
    FailureKind.FIREWALL_INCAPSULA: lambda: answers.page(pages.INCAPSULA),
    FailureKind.FIREWALL_AKAMAI: lambda: answers.page(pages.AKAMAI),
    FailureKind.FIREWALL_CLOUDFLARE: lambda: answers.page(pages.CLOUDFLARE),
    FailureKind.LOGIN_KEYCLOAK: lambda: answers.page(pages.KEYCLOAK),
    FailureKind.LOGIN_GOV_BR: lambda: answers.page(pages.GOV_BR),
    FailureKind.MAINTENANCE: lambda: answers.page(pages.MAINTENANCE),
}
_AWAY: Final[dict[FailureKind, Callable[[], Reply]]] = {
    FailureKind.RATE_LIMIT: lambda: answers.too_many(None),
    FailureKind.BAD_GATEWAY_502: lambda: answers.page(pages.gateway(502, "Bad Gateway"), 502),
    FailureKind.UNAVAILABLE_503: lambda: answers.page(pages.gateway(503, "Service Temporarily Unavailable"), 503),
    FailureKind.TIMEOUT_504: lambda: answers.page(pages.gateway(504, "Gateway Time-out"), 504),
    FailureKind.NOT_READY_202: lambda: Reply(202),
}
"""Those that can say when to come again."""


def failure(rule: FailureRule, good: Reply, address: str = "/") -> Reply:
    """The failing answer in place of the good one, which may start it or be changed to it; ``address`` was asked."""
    kind = rule.kind
    if kind in _INSTEAD:
        return _typed(_INSTEAD[kind](), rule.content_type)
    if kind in _AWAY:
        return answers.with_retry_after(_AWAY[kind](), rule.retry_after)
    if kind in _MALFORMED:
        good.raw = _MALFORMED[kind]
    elif kind is FailureKind.REDIRECT_SAME_ORIGIN:
        return _redirect(f"{address}?{FOLLOWED}")
    elif kind is FailureKind.REDIRECT_OTHER_ORIGIN:
        return _redirect(f"{ELSEWHERE}{address}")
    elif kind in _HEADERS:
        good.headers = _HEADERS[kind](good.headers)
    elif kind in _BODIES:
        _BODIES[kind](good, rule)
    else:
        _end(good, rule)
    return good


def _redirect(location: str) -> Reply:
    return Reply(302, f"Location: {location}\r\n".encode("latin-1"))


def _typed(reply: Reply, content_type: str | None) -> Reply:
    if content_type is not None:
        reply.headers = _with_type(reply.headers, content_type)
    return reply


def _with_type(headers: bytes, content_type: str) -> bytes:
    return re.sub(rb"(?im)^content-type:.*?\r\n", b"", headers) + f"Content-Type: {content_type}\r\n".encode("latin-1")


def _other_charset(headers: bytes) -> bytes:
    """Says Latin-1 of UTF-8 and the other way round."""
    is_latin1 = re.search(rb"(?im)^content-type:.*charset=iso-8859-1", headers)
    return _with_type(headers, "text/html; charset=utf-8" if is_latin1 else "text/html; charset=iso-8859-1")


_HEADERS: Final[dict[FailureKind, Callable[[bytes], bytes]]] = {
    FailureKind.OTHER_CHARSET: _other_charset,
    FailureKind.UNKNOWN_ENCODING: lambda headers: headers + b"Content-Encoding: UTF-8\r\n",
    FailureKind.HEADER_BYTES: lambda headers: headers + "X-Origem: Seção de Cópias nº 3\r\n".encode("latin-1"),
}


def _x_gzip(good: Reply, rule: FailureRule) -> None:
    good.headers += b"Content-Encoding: x-gzip\r\n"
    good.body = gzip.compress(_whole(good.body), compresslevel=1, mtime=0)


def _short(good: Reply, rule: FailureRule) -> None:
    kept = len(good.body) // 2 if rule.after_bytes is None else rule.after_bytes
    good.body = _whole(good.body, kept)
    good.without_length = True


def _without_end(good: Reply, rule: FailureRule) -> None:
    good.body = re.sub(rb"%%EOF\s*$", lambda found: b" " * len(found[0]), _whole(good.body))


def _empty(good: Reply, rule: FailureRule) -> None:
    good.body = b""


_BODIES: Final[dict[FailureKind, Callable[[Reply, FailureRule], None]]] = {
    FailureKind.X_GZIP: _x_gzip,
    FailureKind.SHORT_WITHOUT_LENGTH: _short,
    FailureKind.PDF_WITHOUT_END: _without_end,
    FailureKind.EMPTY_BODY: _empty,
}


def _whole(body: bytes | Body, limit: int | None = None) -> bytes:
    """All of it, in memory."""
    return b"".join(body.segments(limit)) if isinstance(body, Body) else body[:limit]


def _end(good: Reply, rule: FailureRule) -> None:
    """Answers that begin well and do not end so."""
    match rule.kind:
        case FailureKind.SHORT_BODY:
            good.ending = Ending.CUT
            good.after_bytes = len(good.body) // 2 if rule.after_bytes is None else rule.after_bytes
        case FailureKind.RESET:
            good.ending, good.after_bytes = Ending.RESET, rule.after_bytes
        case FailureKind.HANG:
            good.ending, good.after_bytes = Ending.HANG, rule.after_bytes
        case FailureKind.DRIP:
            good.bytes_per_second = 1.0
        case _:
            raise AssertionError(f"nothing plays {rule.kind}")
