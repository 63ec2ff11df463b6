"""Alerts: people are told, by e-mail and by a POST, that deliveries were given up or an endpoint was disabled.

The endpoint's row says that somebody has to be told (``alert_reason``) and when somebody was (``alerted_at``), so an
alert survives a kill, two replicas send one, and one endpoint is the subject of at most one in an hour. What happens
meanwhile is counted into the next.
"""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Protocol

import orjson
from sqlalchemy import Connection

from services.notifier.endpoint_state import DISABLED
from services.notifier.metrics import NotifierMetrics
from services.notifier.settings import SmtpSettings
from shared.clock import Clock, rfc3339
from shared.db.engine import Database
from shared.kafka.errors import InfrastructureAway
from shared.webhooks.dial import WebhookCaller

_LOOK_EVERY: Final = 10.0
_TRIES: Final = 3
_PAUSE: Final = 1.0
_SMTP_SECONDS: Final = 10.0
_BATCH: Final = 10

_CLAIM: Final = """
WITH due AS (
    SELECT endpoint_id, alerted_at FROM delivery.endpoints
     WHERE alert_reason IS NOT NULL AND (alerted_at IS NULL OR alerted_at <= %(before)s)
     ORDER BY endpoints.endpoint_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE delivery.endpoints e SET alerted_at = %(now)s FROM due WHERE e.endpoint_id = due.endpoint_id
RETURNING e.endpoint_id::text, e.client_id, e.url, e.alert_reason, e.disabled_reason, e.consecutive_failures,
          due.alerted_at AS before,
          (SELECT count(*) FROM delivery.deliveries d WHERE d.endpoint_id = e.endpoint_id AND d.status = 'exhausted'
              AND d.updated_at > COALESCE(due.alerted_at, '-infinity')) AS exhausted
"""
_TOLD: Final = """
UPDATE delivery.endpoints SET alert_reason = NULL
 WHERE endpoint_id = %(id)s AND alerted_at = %(now)s AND alert_reason = %(reason)s
"""
_NOT_TOLD: Final = """
UPDATE delivery.endpoints SET alerted_at = %(before)s WHERE endpoint_id = %(id)s AND alerted_at = %(now)s
"""

_log = logging.getLogger(__name__)


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
            "Nothing is lost. When the receiver works again: autos deliveries, autos redeliver ID.",
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


class Alerter:
    """Tells people what the endpoints' rows say. ``interval`` is the least time between alerts of an endpoint."""

    def __init__(
        self,
        *,
        database: Database,
        ways: Sequence[Way],
        interval: timedelta,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._ways = ways
        self._interval = interval
        self._clock = clock
        self._metrics = metrics

    async def run(self, stop: asyncio.Event, trouble: asyncio.Event) -> None:
        """Look when there is ``trouble``, and every 10 s; until ``stop``."""
        while not stop.is_set():
            trouble.clear()
            try:
                await self.tell_due()
            except InfrastructureAway:
                _log.debug("the database is away, alerts wait")
            waits = [asyncio.create_task(stop.wait()), asyncio.create_task(trouble.wait())]
            try:
                await asyncio.wait(waits, timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)

    async def tell_due(self) -> int:
        """Send the alerts that are due; how many got out. Raises InfrastructureAway."""
        now = self._clock()
        alerts = await self._database.run(lambda connection: self._claim(connection, now))
        told = 0
        for alert in alerts:
            _log.warning(
                "webhook endpoint in trouble",
                extra={"client_id": alert.client_id, "endpoint_id": alert.endpoint_id, "reason": alert.reason},
            )
            out = await self._tell(alert)
            told += out
            await self._database.run(lambda connection, alert=alert, out=out: _settle(connection, alert, out))  # type: ignore[misc]
        return told

    def _claim(self, connection: Connection, now: datetime) -> list[Alert]:
        parameters = {"now": now, "before": now - self._interval, "most": _BATCH}
        return [
            Alert(
                endpoint_id=row.endpoint_id,
                client_id=row.client_id,
                url=row.url,
                reason=row.alert_reason,
                disabled_reason=row.disabled_reason,
                consecutive_failures=row.consecutive_failures,
                exhausted=row.exhausted,
                at=now,
                before=row.before,
            )
            for row in connection.exec_driver_sql(_CLAIM, parameters)
        ]

    async def _tell(self, alert: Alert) -> bool:
        """Tell by every way; True when one of them worked, or there is none to work."""
        outcomes = [await self._tell_by(way, alert) for way in self._ways]
        return any(outcomes) or not outcomes

    async def _tell_by(self, way: Way, alert: Alert) -> bool:
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            try:
                await way.tell(alert)
            except AlertFailed as failed:
                reason = str(failed)
                continue
            self._metrics.alerts.labels(way.name, "sent").inc()
            return True
        self._metrics.alerts.labels(way.name, "failed").inc()
        _log.error("an alert did not get out", extra={"way": way.name, "error": reason})
        return False


def _settle(connection: Connection, alert: Alert, told: bool) -> None:
    """Remember that people were told, or that they have still to be."""
    if told:
        connection.exec_driver_sql(_TOLD, {"id": alert.endpoint_id, "now": alert.at, "reason": alert.reason})
    else:
        connection.exec_driver_sql(_NOT_TOLD, {"id": alert.endpoint_id, "now": alert.at, "before": alert.before})
