"""Alerts by e-mail."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from shared.alerts.channel import AlertFailed, Notice
from shared.settings import AlertSettings

_SMTP_SECONDS: Final = 10.0
"""For each step of the conversation with the mail server."""
_MAIL_SECONDS: Final = 30.0
"""For a mail in all."""
_SUBJECT_CHARACTERS: Final = 200


class Mail:
    """E-mail through SMTP."""

    name = "smtp"

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings

    async def send(self, notice: Notice) -> None:
        """Send one mail within 30 s. Raises AlertFailed with the name of the error's class, which holds no secret."""
        try:
            async with asyncio.timeout(_MAIL_SECONDS):
                await asyncio.to_thread(self._send, notice)
        # ValueError: a header or an address that mail cannot carry.
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise AlertFailed(type(error).__name__) from error

    async def aclose(self) -> None:
        """Nothing stays open between two mails."""

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
