"""Alerts the operators when the source refuses our credentials, or everything: only a person can mend that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import orjson

from shared.alerts.channel import Notice
from shared.alerts.sender import AlertSender
from shared.clock import Clock, rfc3339
from shared.domain.case import PDPJ


@dataclass(frozen=True, slots=True)
class CredentialsAlert:
    """The source's word on our log-in, or on a token that was fresh."""

    at: datetime
    source: str
    """The base URL."""
    name: str = PDPJ

    @property
    def title(self) -> str:
        return f"Autos: {self.name.upper()} refuses our credentials"

    @property
    def text(self) -> str:
        return (
            f"{self.title}.\n\nSource: {self.source}\n\n"
            "Log-ins are tried again at growing intervals, so that the account is not locked. Documents wait;\n"
            f"none has an attempt counted. Correct {_setting(self.name, 'CLIENT_SECRET')}, "
            f"{_setting(self.name, 'REFRESH_TOKEN')} or\n"
            f"{_setting(self.name, 'ACCESS_TOKEN')}, and start the downloader and the api again.\n"
        )

    def json(self) -> bytes:
        return orjson.dumps(
            {
                "type": "source.alert",
                "timestamp": rfc3339(self.at),
                "text": self.title,
                "data": {"source": self.source, "reason": "credentials_refused"},
            }
        )


@dataclass(frozen=True, slots=True)
class ForbiddenAlert:
    """A firewall before the source has answered everything with a 403 for long."""

    at: datetime
    source: str
    """The base URL."""
    name: str = PDPJ

    @property
    def title(self) -> str:
        return f"Autos: a firewall before {self.name.upper()} forbids everything"

    @property
    def text(self) -> str:
        return (
            f"{self.title}.\n\nSource: {self.source}\n\n"
            "Every request is answered with a 403 that is not the platform's own. Documents wait; none has an attempt\n"
            f"counted. The firewall may ask for other headers ({_setting(self.name, 'USER_AGENT')}, "
            f"{_setting(self.name, 'HEADERS')}), or\n"
            "refuse the address that we come from. `autos doctor --source` tells more.\n"
        )

    def json(self) -> bytes:
        return orjson.dumps(
            {
                "type": "source.alert",
                "timestamp": rfc3339(self.at),
                "text": self.title,
                "data": {"source": self.source, "reason": "source_forbidden"},
            }
        )


def _setting(source: str, name: str) -> str:
    """The settings of a source begin with its name."""
    return f"AUTOS_{source.upper()}_{name}"


class SourceAlarm:
    """At most one alert in ``interval`` seconds from this worker; one that did not get out does not count."""

    def __init__(
        self,
        sender: AlertSender,
        *,
        source: str,
        interval: float,
        clock: Clock,
        seconds: Callable[[], float] = monotonic,
        alert: Callable[[datetime, str], Notice] = CredentialsAlert,
    ) -> None:
        self._alert = alert
        self._sender = sender
        self._source = source
        self._interval = interval
        self._clock = clock
        self._seconds = seconds
        self._quiet_until: float | None = None
        self._sending: asyncio.Task[None] | None = None

    def refused(self) -> None:
        """The source has refused us, once more. From the event loop; returns at once."""
        if self._sending is not None or (self._quiet_until is not None and self._seconds() < self._quiet_until):
            return
        self._sending = asyncio.get_running_loop().create_task(self._send())

    @property
    def sending(self) -> bool:
        """Whether an alert is on its way."""
        return self._sending is not None

    async def aclose(self) -> None:
        """End; send no more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        await self._sender.aclose()

    async def _send(self) -> None:
        try:
            if await self._sender.send(self._alert(self._clock(), self._source)):
                self._quiet_until = self._seconds() + self._interval
        finally:
            self._sending = None
