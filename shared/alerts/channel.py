"""What an alert is, and what can carry one to the operators."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Notice(Protocol):
    """An alert: a line, a text, and the same as JSON for machines."""

    @property
    def at(self) -> datetime: ...

    @property
    def title(self) -> str: ...

    @property
    def text(self) -> str: ...

    def json(self) -> bytes: ...


class AlertFailed(Exception):
    """The channel could not send the alert."""


class Channel(Protocol):
    """Sends alerts one way. ``send`` raises AlertFailed. ``name`` is a label of the metrics of alerts."""

    name: str

    async def send(self, notice: Notice) -> None:
        """Send an alert. Raises AlertFailed."""

    async def aclose(self) -> None:
        """Let go of what stays open between two alerts."""
