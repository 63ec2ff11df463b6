"""The webhook request: ``WebhookCaller.post`` dials what the guard has checked and returns what is known of the answer.

docs/reference/webhooks.md, "What counts as delivered": headers and body within one time-out, 64 KiB of the answer at
most, redirects not followed, the address checked is the address dialled. A failure is a result with a stable code,
never an exception.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.http.answer import AnswerBroken, CallPhase, ReceiverAnswer
from shared.http.connection import Connection, ConnectionStale, Timings, client_context, open_connection
from shared.http.guard import (
    CheckedUrl,
    GuardPolicy,
    Resolver,
    WebhookUrlRefused,
    check_url,
    resolve,
)
from shared.http.lookups import Lookups

EXCERPT_BYTES: Final = 4 * 1024
_KEPT_SECONDS: Final = 10.0
_KEPT_PER_ENDPOINT: Final = 16
_KEPT_IN_ALL: Final = 512
_NOT_IN_TIME: Final = {
    CallPhase.DNS: "the resolver did not answer",
    CallPhase.CONNECT: "the connection was not accepted",
    CallPhase.TLS: "the TLS handshake did not end",
    CallPhase.SEND: "the receiver did not read the whole request",
    CallPhase.HEAD: "the answer did not begin",
    CallPhase.BODY: "the answer did not end",
}
_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN})


@dataclass(frozen=True, slots=True)
class CallResult:
    """One attempt. Durations in seconds; ``error_code`` None means a complete answer within the time-out.

    ``error_code`` is stable: dns_timeout, connect_timeout, tls_timeout, send_timeout, head_timeout or body_timeout for
    what was not done when the time ended; connection_refused, connection_reset, unreachable, tls_error, dns_error,
    invalid_answer, connection_failed, or one of :class:`WebhookUrlRefused`.
    """

    status_code: int | None
    error_code: str | None
    error_message: str | None
    address: str | None
    duration: float
    timings: Timings
    retry_after: str | None
    excerpt: str
    """The first 4 KiB of the answer as text, without NUL; what is not UTF-8 is replaced."""

    @property
    def succeeded(self) -> bool:
        """2xx, and complete in time."""
        return self.error_code is None and self.status_code is not None and 200 <= self.status_code <= 299


def refused_call(code: str, message: str) -> CallResult:
    """The result of a call that was not made."""
    return CallResult(None, code, message, None, 0.0, Timings(), None, "")


class WebhookCaller:
    """Posts to webhook URLs; keeps a few connections for the next request to the same endpoint.

    For one event loop; ``post`` may be called as often at once as the caller likes, who bounds it. Up to 16 connections
    of an endpoint and 512 in all are kept, for 10 seconds each. ``timeout`` in seconds covers resolution, connection,
    headers and body together.
    """

    def __init__(
        self,
        policy: GuardPolicy,
        *,
        timeout: float,
        resolver: Resolver | None = None,
        context: ssl.SSLContext | None = None,
        user_agent: str = "Autos-Webhooks/1",
    ) -> None:
        self._policy = policy
        self._timeout = timeout
        self._resolver = resolver or Lookups()
        self._context = context or client_context()
        self._user_agent = user_agent
        self._kept: dict[str, deque[tuple[float, Connection]]] = {}
        self._kept_count = 0

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> CallResult:
        """Send ``body`` as JSON with ``headers`` and wait for the whole answer, or 64 KiB of it.

        Raises nothing about the receiver: every failure is a CallResult with a code. Redirects are not followed. A
        request is made again, at once, only when a kept connection turns out to have been closed before anything was
        answered.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        answer, timings = ReceiverAnswer(), Timings()
        dialled: list[str] = []
        code: str | None = None
        message: str | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await self._exchange(check_url(url, self._policy), headers, body, answer, timings, dialled)
        except WebhookUrlRefused as refused:
            code = "dns_error" if refused.code == "name_not_resolved" else refused.code
            message = refused.detail
        except TimeoutError:
            code = f"{answer.phase}_timeout"
            message = f"{_NOT_IN_TIME[answer.phase]} within {loop.time() - started:.1f} s"
        except AnswerBroken as broken:
            code, message = "invalid_answer", str(broken)
        except OSError as error:
            code, message = _network_error(error)
        return CallResult(
            status_code=answer.status_code,
            error_code=code,
            error_message=message,
            address=dialled[-1] if dialled else None,
            duration=loop.time() - started,
            timings=timings,
            retry_after=answer.retry_after,
            excerpt=bytes(answer.body[:EXCERPT_BYTES]).decode("utf-8", "replace").replace("\x00", "\ufffd"),
        )

    async def _exchange(
        self,
        url: CheckedUrl,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        answer: ReceiverAnswer,
        timings: Timings,
        dialled: list[str],
    ) -> None:
        sent = [
            ("user-agent", self._user_agent),
            ("accept", "*/*"),
            # A compressed answer would have to be inflated to be read, and could inflate without end.
            ("accept-encoding", "identity"),
            ("content-type", "application/json"),
            *headers,
        ]
        while True:
            # By endpoint: what one path of an origin sends must not be read as another's answer.
            connection = self._take(url.without_query) or await self._dial(url, answer, timings)
            dialled.append(str(connection.address))
            reusable = False
            try:
                reusable = await connection.exchange(url, sent, body, answer, timings)
            except ConnectionStale:
                # A kept connection gave no answer: the server had closed it.
                continue
            finally:
                if reusable:
                    self._keep(url.without_query, connection)
                else:
                    connection.close()
            return

    async def _dial(self, url: CheckedUrl, answer: ReceiverAnswer, timings: Timings) -> Connection:
        loop = asyncio.get_running_loop()
        answer.phase = CallPhase.DNS
        started = loop.time()
        addresses = await resolve(url.host, url.port, self._policy, self._resolver)
        if url.address is None:
            timings.dns = loop.time() - started
        return await open_connection(url, addresses, self._context, answer, timings)

    def _take(self, endpoint: str) -> Connection | None:
        kept = self._kept.get(endpoint)
        now = asyncio.get_running_loop().time()
        while kept:
            until, connection = kept.pop()
            self._kept_count -= 1
            if until > now and connection.alive:
                return connection
            connection.close()
        self._kept.pop(endpoint, None)
        return None

    def _keep(self, endpoint: str, connection: Connection) -> None:
        kept = self._kept.setdefault(endpoint, deque())
        now = asyncio.get_running_loop().time()
        while kept and (kept[0][0] <= now or len(kept) >= _KEPT_PER_ENDPOINT):
            kept.popleft()[1].close()
            self._kept_count -= 1
        if self._kept_count >= _KEPT_IN_ALL:
            self._sweep(now)
        if self._kept_count >= _KEPT_IN_ALL:
            connection.close()
            return
        kept.append((now + _KEPT_SECONDS, connection))
        self._kept_count += 1

    def _sweep(self, now: float) -> None:
        for endpoint, kept in list(self._kept.items()):
            while kept and kept[0][0] <= now:
                kept.popleft()[1].close()
                self._kept_count -= 1
            if not kept:
                del self._kept[endpoint]

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        for kept in self._kept.values():
            for _, connection in kept:
                connection.close()
        self._kept.clear()
        self._kept_count = 0


def _network_error(error: OSError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls_error", f"the certificate was not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "tls_error", "the TLS handshake failed"
    if isinstance(error, socket.gaierror):
        return "dns_error", "the host has no address"
    if isinstance(error, ConnectionRefusedError):
        return "connection_refused", "the connection was refused"
    if isinstance(error, ConnectionError):
        return "connection_reset", "the connection was reset"
    if error.errno in _UNREACHABLE:
        return "unreachable", "the address cannot be reached"
    return "connection_failed", "the connection failed"
