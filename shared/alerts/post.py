"""Alerts by a POST of JSON to an address of the operator's own, which may well be inside: no guard looks at it."""

from __future__ import annotations

from typing import Final

from shared.alerts.channel import AlertFailed, Notice
from shared.http.dial import WebhookCaller
from shared.http.guard import AnyAddress

_POST_SECONDS: Final = 10.0


class Post:
    """Posts to ``url``."""

    name = "webhook"

    def __init__(self, url: str) -> None:
        self._caller = WebhookCaller(AnyAddress(), timeout=_POST_SECONDS)
        self._url = url

    async def send(self, notice: Notice) -> None:
        """Post the alert as JSON. Raises AlertFailed with the code of the failure, or ``http_<status>``."""
        result = await self._caller.post(self._url, [], notice.json())
        if not result.succeeded:
            raise AlertFailed(result.error_code or f"http_{result.status_code}")

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._caller.aclose()
