"""Who may use the control server: the page of this stack, with its token. Pure.

A page of another origin is refused by its Origin, one that made a name point here (DNS rebinding) by its Host, and a
program of the machine that has not read the stack's files by the token.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from typing import Final

_METHODS: Final = "GET, POST, PUT, PATCH, DELETE"


Headers = Mapping[str, str]
"""The headers of a request, their names in lower case."""


class Guard:
    """``origins`` are those of the stack's own page; ``port`` is the control server's."""

    def __init__(self, token: str, origins: Collection[str], port: int) -> None:
        self._token = token
        self._origins = frozenset(origins)
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})

    def is_host(self, headers: Headers) -> bool:
        """Whether the request names this server by an address of ours."""
        return headers.get("host", "") in self._hosts

    def origin(self, headers: Headers) -> str | None:
        """The origin that the request comes from, when it is ours."""
        found = headers.get("origin", "")
        return found if found in self._origins and self.is_host(headers) else None

    def admits(self, headers: Headers) -> bool:
        """Whether the request may do something."""
        given = headers.get("authorization", "").removeprefix("Bearer ")
        foreign = headers.get("origin", "") != "" and self.origin(headers) is None
        return self.is_host(headers) and not foreign and hmac.compare_digest(given.encode(), self._token.encode())

    def cors(self, headers: Headers) -> Mapping[str, str]:
        """What lets a browser give an answer to our page (Fetch, "CORS protocol")."""
        origin = self.origin(headers)
        if origin is None:
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
        }
