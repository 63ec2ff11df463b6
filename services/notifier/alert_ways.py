"""An alert about an endpoint, and the ways by which people get it: e-mail, a POST."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Protocol

import orjson

from services.notifier.endpoint_state import DISABLED
from services.notifier.settings import SmtpSettings
from shared.clock import rfc3339
from shared.webhooks.dial import WebhookCaller

_SMTP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Alert:
    """What people are told about one endpoint. ``url`` has no query: there may be a token in it."""

    endpoint_id: str
    client_id: str
    url: str
    reason: str
    disabled_reason: str | None
    consecutive_failures: int
    exhausted: int
    at: datetime
    before: datetime | None

    @property
    def title(self) -> str:
        if self.reason == DISABLED:
            return f"Autos: a webhook endpoint of {self.client_id} was disabled"
        return f"Autos: webhook deliveries to {self.client_id} were given up"

    @property
    def text(self) -> str:
        lines = [
            self.title + ".",
            "",
            f"Endpoint: {self.url} ({self.endpoint_id})",
            f"Reason: {self.disabled_reason if self.reason == DISABLED else 'the last retry failed'}",
            f"Failures in a row: {self.consecutive_failures}",
            f"Deliveries given up since the last alert: {self.exhausted}",
            "",
            "Nothing is lost. When the receiver works again: autos redeliver --exhausted-since TIME.",
        ]
        return "\n".join(lines) + "\n"

    def json(self) -> bytes:
        return orjson.dumps(
            {
                "type": "webhook.alert",
                "timestamp": rfc3339(self.at),
                "text": self.title,
                "data": {
                    "endpoint_id": self.endpoint_id,
                    "client_id": self.client_id,
                    "url": self.url,
                    "reason": self.reason,
                    "disabled_reason": self.disabled_reason,
                    "consecutive_failures": self.consecutive_failures,
                    "exhausted": self.exhausted,
                },
            }
        )


class AlertFailed(Exception):
    """An alert did not get out this way."""


class Way(Protocol):
    """A way to tell people. ``tell`` raises AlertFailed."""

    name: str

    async def tell(self, alert: Alert) -> None: ...


class Mail:
    """E-mail through SMTP."""

    name = "smtp"

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    async def tell(self, alert: Alert) -> None:
        try:
            await asyncio.to_thread(self._send, alert)
        except (OSError, smtplib.SMTPException) as error:
            raise AlertFailed(type(error).__name__) from error

    def _send(self, alert: Alert) -> None:
        settings = self._settings
        assert settings.smtp_host is not None
        message = EmailMessage()
        message["From"] = settings.smtp_from
        message["To"] = settings.smtp_to or ""
        message["Subject"] = alert.title
        message["Date"] = format_datetime(alert.at)
        message.set_content(alert.text)
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=_SMTP_SECONDS) as client:
            if settings.smtp_starttls:
                client.starttls(context=ssl.create_default_context())
            if settings.smtp_username and settings.smtp_password:
                client.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            client.send_message(message)


class Post:
    """A POST of JSON to an address of the operator's; not the guard's matter, it may well be inside."""

    name = "webhook"

    def __init__(self, caller: WebhookCaller, url: str) -> None:
        self._caller = caller
        self._url = url

    async def tell(self, alert: Alert) -> None:
        result = await self._caller.post(self._url, [], alert.json())
        if not result.succeeded:
            raise AlertFailed(result.error_code or f"http_{result.status_code}")
