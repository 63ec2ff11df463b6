"""How people are told: by e-mail and by a POST, each tried a few times. What they are told is the services' matter."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Protocol

from shared.http.dial import WebhookCaller
from shared.http.guard import AnyAddress
from shared.settings import AlertSettings

_SMTP_SECONDS: Final = 10.0
"""For each word with the mail server."""
_MAIL_SECONDS: Final = 30.0
"""For a mail in all."""
_SUBJECT_CHARACTERS: Final = 200
_POST_SECONDS: Final = 10.0
_TRIES: Final = 3
_PAUSE: Final = 1.0

_log = logging.getLogger(__name__)


class Notice(Protocol):
    """What people are told: a line, a text, and the same as JSON for machines."""

    @property
    def at(self) -> datetime: ...

    @property
    def title(self) -> str: ...

    @property
    def text(self) -> str: ...

    def json(self) -> bytes: ...


class AlertFailed(Exception):
    """An alert did not get out this way."""


class Way(Protocol):
    """A way to tell people. ``tell`` raises AlertFailed."""

    name: str

    async def tell(self, notice: Notice) -> None: ...


class Mail:
    """E-mail through SMTP."""

    name = "smtp"

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings

    async def tell(self, notice: Notice) -> None:
        try:
            async with asyncio.timeout(_MAIL_SECONDS):
                await asyncio.to_thread(self._send, notice)
        # ValueError: a header or an address that mail cannot carry.
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise AlertFailed(type(error).__name__) from error

    def _send(self, notice: Notice) -> None:
        settings = self._settings
        assert settings.smtp_host is not None
        message = EmailMessage()
        message["From"] = settings.smtp_from
        message["To"] = settings.smtp_to or ""
        message["Subject"] = " ".join(notice.title.split())[:_SUBJECT_CHARACTERS]
        message["Date"] = format_datetime(notice.at)
        message.set_content(notice.text)
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

    async def tell(self, notice: Notice) -> None:
        result = await self._caller.post(self._url, [], notice.json())
        if not result.succeeded:
            raise AlertFailed(result.error_code or f"http_{result.status_code}")


class Teller:
    """Tells by every way that is set. ``count`` hears the name of the way, and ``sent`` or ``failed``."""

    def __init__(self, settings: AlertSettings, count: Callable[[str, str], None]) -> None:
        self._caller = WebhookCaller(AnyAddress(), timeout=_POST_SECONDS)
        self._ways: Sequence[Way] = (
            *([Mail(settings)] if settings.smtp_host else []),
            *([Post(self._caller, settings.alert_webhook_url)] if settings.alert_webhook_url else []),
        )
        self._count = count
        # Ways that do not work, which was said once.
        self._silent: set[str] = set()

    async def tell(self, notice: Notice) -> bool:
        """True when one of the ways worked, or there is none to work."""
        async with asyncio.TaskGroup() as group:
            telling = [group.create_task(self._tell_by(way, notice)) for way in self._ways]
        return any(done.result() for done in telling) or not telling

    async def aclose(self) -> None:
        """Close the connections of POSTs."""
        await self._caller.aclose()

    async def _tell_by(self, way: Way, notice: Notice) -> bool:
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            try:
                await way.tell(notice)
            except AlertFailed as failed:
                reason = str(failed)
                continue
            self._count(way.name, "sent")
            self._silent.discard(way.name)
            return True
        self._count(way.name, "failed")
        if way.name not in self._silent:
            _log.error("an alert did not get out, trying again", extra={"way": way.name, "error": reason})
            self._silent.add(way.name)
        return False
