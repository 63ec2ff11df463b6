"""The problems of requests that never reach the application, and the bytes of the answer to one."""

from __future__ import annotations

import uuid
from typing import Final

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from services.api.http.languages import ENGLISH
from services.api.http.problems import MEDIA_TYPE, Problem

SECURITY: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Cases hold personal data: no cache between us and the client keeps an answer.
    "Cache-Control": "no-store",
}
"""Headers of every answer."""


class HeadTooLarge(Problem):
    """The request's headers are larger, or more, than the limit (RFC 6585, section 5)."""

    status, code, title = 431, "request_head_too_large", "The request's headers are too large"


class AddressTooLong(Problem):
    """Path and query are longer than the limit (RFC 9110, section 15.5.15)."""

    status, code, title = 414, "uri_too_long", "The request's address is too long"


class TooManyParameters(Problem):
    """The query has more parameters than any route."""

    status, code, title = 400, "too_many_parameters", "Too many query parameters"


class MalformedRequest(Problem):
    """Not a request of HTTP/1.1 (RFC 9112)."""

    status, code, title = 400, "malformed_request", "Not a valid HTTP request"


class RequestTimeout(Problem):
    """The request did not arrive whole in time (RFC 9110, section 15.5.9)."""

    status, code, title = 408, "request_timeout", "The request took too long to arrive"


class TooManyConnections(Problem):
    """Every connection that may be open is being answered."""

    status, code, title = 503, "too_many_connections", "Too many connections"


def raw_answer(problem: Problem, path: str) -> bytes:
    """A whole HTTP/1.1 answer that also says that the connection ends."""
    identity = str(uuid.uuid4())
    body = orjson.dumps(problem.document(instance=path or "/", request_id=identity))
    headers = {
        **SECURITY,
        **problem.headers,
        "X-Request-ID": identity,
        "Content-Type": MEDIA_TYPE,
        "Content-Language": ENGLISH,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
    return b"".join([STATUS_LINE[problem.status], lines.encode("latin-1"), b"\r\n", body])
