"""What an alert is, and what can carry one to the operators."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Notice(Protocol):
    """An alert: a line, a text, and the same as JSON for machines."""

    @property
    def at(self) -> datetime:
        """When it happened, with a time zone."""

    @property
    def title(self) -> str:
        """One line: the subject of the mail."""

    @property
    def text(self) -> str:
        """What happened, to what, and what to do, for a person."""

    def json(self) -> bytes:
        """The body of the POST, in UTF-8."""


class AlertFailed(Exception):
    """The channel could not send the alert."""


class Channel(Protocol):
    """Sends alerts one way. ``send`` raises AlertFailed. ``name`` is a label of the metrics of alerts."""

    name: str

    async def send(self, notice: Notice) -> None:
        """Send an alert. Raises AlertFailed."""

    async def aclose(self) -> None:
        """Let go of what stays open between two alerts."""
