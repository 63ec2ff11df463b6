"""Alerts the operators when the source refuses our credentials, or everything: only a person can mend that."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import ClassVar

import orjson

from shared.alerts.channel import Notice
from shared.alerts.sender import AlertSender
from shared.clock import Clock, rfc3339
from shared.domain.case import PDPJ


@dataclass(frozen=True)
class _SourceAlert(ABC):
    """An alert about a source; ``REASON`` is its stable code, ``title`` and ``text`` are its kind's."""

    REASON: ClassVar[str]

    at: datetime
    source: str
    """The base URL."""
    name: str = PDPJ

    @property
    @abstractmethod
    def title(self) -> str:
        """One line."""

    def json(self) -> bytes:
        return orjson.dumps(
            {
                "type": "source.alert",
                "timestamp": rfc3339(self.at),
                "text": self.title,
                "data": {"source": self.source, "reason": self.REASON},
            }
        )


@dataclass(frozen=True)
class CredentialsAlert(_SourceAlert):
    """The source's word on our log-in, or on a token that was fresh."""

    REASON = "credentials_refused"

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


@dataclass(frozen=True)
class ForbiddenAlert(_SourceAlert):
    """A firewall before the source has answered everything with a 403 for long."""

    REASON = "source_forbidden"

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
