"""The head of an answer as it goes over the wire."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from autos.local.pdpj.exchange import Ending, Reply

_CLOSE = b"Connection: close\r\n"
DEFECT_STATUS = 599  # no failure that can be asked for has it
_STATUS_LINES = {int(s): f"HTTP/1.1 {int(s)} {s.phrase}\r\n".encode() for s in HTTPStatus}
_STATUS_LINES[DEFECT_STATUS] = b"HTTP/1.1 599 Simulator Defect\r\n"


def head_of(reply: Reply, *, keep_alive: bool) -> bytes:
    """Status line and header lines; ``keep_alive``: the client would use the connection again."""
    return b"%bDate: %b\r\n%b%b%b\r\n" % (
        _STATUS_LINES[reply.status],
        _http_date(int(time.time())),
        reply.headers,
        b"" if reply.without_length else b"Content-Length: %d\r\n" % len(reply.body),
        b"" if keep_alive and reply.ending is Ending.COMPLETE and not reply.without_length else _CLOSE,
    )


@lru_cache(maxsize=2)
def _http_date(now: int) -> bytes:
    """RFC 9110 date, formatted once a second."""
    return formatdate(now, usegmt=True).encode()
