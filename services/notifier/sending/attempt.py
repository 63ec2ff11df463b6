"""One attempt at a delivery, as it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from services.notifier.domain.delivery import TOO_LARGE
from services.notifier.sending.claimed import ClaimedDelivery
from shared.http.dial import CallResult
from shared.http.retry_after import parse_retry_after
from shared.tracing.spans import current_span_id
from shared.webhooks.body_form import BodyForm

HIDDEN: Final = "(not shown)"
"""In place of the value of a header that the client set: it is most likely a secret of the receiver's."""
_OURS: Final = "webhook-"
_SHORTEST: Final = 8
"""Characters."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known after a call. Durations in milliseconds; ``retry_after`` in seconds from the answer."""

    delivery_id: str
    token: str
    attempt: int
    started_at: datetime
    duration_ms: int
    dns_ms: int | None
    connect_ms: int | None
    tls_ms: int | None
    first_byte_ms: int | None
    address: str | None
    status_code: int | None
    error_code: str | None
    """Why there was no complete answer in time; None when there was one, whatever its status."""
    error_message: str | None
    excerpt: str
    retry_after: float | None
    draw: float
    form: BodyForm = BodyForm.BARE
    """The form of the body that was sent; BARE where none was."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What was sent of headers, as it is shown; empty when no request was made."""
    documents: int = 0
    links: int = 0
    """Documents in the body that was sent, and links to documents among them."""
    span_id: str | None = None
    """The span that it was made in, 16 hexadecimal digits; None without tracing."""

    @property
    def shrinks(self) -> bool:
        """Whether a smaller body is worth an attempt: this one was refused as too large, and is not the smallest."""
        return self.status_code == TOO_LARGE and self.form is not BodyForm.BARE

    @property
    def succeeded(self) -> bool:
        """2xx, and complete within the time-out."""
        return self.error_code is None and self.status_code is not None and 200 <= self.status_code <= 299

    def bare(self) -> Attempt:
        """The same attempt without the receiver's own words."""
        return replace(self, address=None, error_message=None, excerpt="")

    @property
    def error_code_shown(self) -> str | None:
        """The stable code of the failure: the call's own, redirect_refused, or http_<status>."""
        if self.succeeded:
            return None
        if self.error_code is not None:
            return self.error_code
        if self.status_code is not None and 300 <= self.status_code <= 399:
            return "redirect_refused"
        return f"http_{self.status_code}"

    def columns(self) -> dict[str, Any]:
        """The row of ``delivery.attempts``."""
        return {
            "delivery_id": self.delivery_id,
            "attempt": self.attempt,
            "started_at": self.started_at,
            "duration_ms": self.duration_ms,
            "dns_ms": self.dns_ms,
            "connect_ms": self.connect_ms,
            "tls_ms": self.tls_ms,
            "first_byte_ms": self.first_byte_ms,
            "address": self.address,
            "status_code": self.status_code,
            "succeeded": self.succeeded,
            "error_code": self.error_code_shown,
            "error_message": self.error_message,
            "response_excerpt": self.excerpt or None,
            "request_headers": dict(self.headers) or None,
            "span_id": self.span_id,
        }


def attempt_of(
    claimed: ClaimedDelivery,
    result: CallResult,
    *,
    started_at: datetime,
    ended_at: datetime,
    form: BodyForm,
    draw: float,
    headers: Mapping[str, str],
    content: bytes,
) -> Attempt:
    """The attempt that a call was, with the body ``content``; ``draw`` in [0, 1) is for the jitter of the next one."""
    timings = result.timings
    return Attempt(
        delivery_id=claimed.due.delivery_id,
        token=claimed.token,
        attempt=claimed.attempt,
        started_at=started_at,
        duration_ms=round(result.duration * 1000),
        dns_ms=_ms(timings.dns),
        connect_ms=_ms(timings.connect),
        tls_ms=_ms(timings.tls),
        first_byte_ms=_ms(timings.first_byte),
        address=result.address,
        status_code=result.status_code,
        error_code=result.error_code,
        error_message=result.error_message,
        excerpt=result.excerpt,
        retry_after=parse_retry_after(result.retry_after, ended_at),
        draw=draw,
        form=form,
        headers=headers,
        # In JSON these bytes are in no text: its quotation marks would be escaped.
        documents=content.count(b'"download_url":'),
        links=content.count(b'"download_url":"'),
        span_id=current_span_id(),
    )


def shown_headers(headers: Sequence[tuple[str, str]], body_bytes: int) -> dict[str, str]:
    """The headers of a request as its client is shown them: ours as they were, its own by name alone."""
    if not headers:
        return {}
    sent = {"content-type": "application/json", "content-length": str(body_bytes)}
    return {**sent, **{name: value if name.lower().startswith(_OURS) else HIDDEN for name, value in headers}}


def without_own_values(text: str, headers: Sequence[tuple[str, str]]) -> str:
    """An answer's text without the values of the client's own headers: some receivers send back what they get.

    The part behind the scheme of an authorization is one too. What is shorter than :data:`_SHORTEST` is no secret.
    """
    own = [value for name, value in headers if not name.lower().startswith(_OURS)]
    secrets = {part for value in own for part in (value, value.partition(" ")[2].strip()) if len(part) >= _SHORTEST}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
