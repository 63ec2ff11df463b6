"""Sends an alert by every channel that is set, each tried a few times."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from shared.alerts.channel import AlertFailed, Channel, Notice
from shared.alerts.mail import Mail
from shared.settings import AlertSettings

_TRIES: Final = 3
_PAUSE: Final = 1.0

CHANNELS: Final = ("smtp", "webhook")
"""The names of the channels (mail.py, post.py)."""
OUTCOMES: Final = ("sent", "failed")

_log = logging.getLogger(__name__)


def channels_of(settings: AlertSettings) -> Iterator[Channel]:
    """The channels that are set."""
    if settings.smtp_host:
        yield Mail(settings)
    if settings.alert_webhook_url:
        # Loaded only where it is used: a process without it has no use for the dialler of webhooks.
        from shared.alerts.post import Post

        yield Post(settings.alert_webhook_url)


class AlertSender:
    """Sends alerts. ``count`` gets the name of the channel, and ``sent`` or ``failed``."""

    def __init__(self, channels: Sequence[Channel], count: Callable[[str, str], None]) -> None:
        self._channels = tuple(channels)
        self._count = count
        # Channels that do not work, which was logged once.
        self._logged: set[str] = set()

    async def send(self, notice: Notice) -> bool:
        """Send by all channels at once, each tried three times with a second between. True when one worked, or none is
        set.

        Raises nothing for a channel that fails: the caller tries the alert again at its next round.
        """
        async with asyncio.TaskGroup() as group:
            sending = [group.create_task(self._send_by(channel, notice)) for channel in self._channels]
        return any(done.result() for done in sending) or not sending

    async def aclose(self) -> None:
        """Close the channels' connections."""
        for channel in self._channels:
            await channel.aclose()

    async def _send_by(self, channel: Channel, notice: Notice) -> bool:
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            try:
                await channel.send(notice)
            except AlertFailed as failed:
                reason = str(failed)
                continue
            self._count(channel.name, "sent")
            self._logged.discard(channel.name)
            return True
        self._count(channel.name, "failed")
        if channel.name not in self._logged:
            _log.error(
                "An alert could not be sent and is tried again", extra={"channel": channel.name, "error": reason}
            )
            self._logged.add(channel.name)
        return False
