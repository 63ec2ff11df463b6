"""What an alert says about a webhook endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from services.notifier.domain.endpoint_health import DISABLED
from shared.clock import rfc3339


@dataclass(frozen=True, slots=True)
class EndpointAlert:
    """An endpoint that was disabled, or whose deliveries were given up. ``url`` has no query: it may hold a token."""

    endpoint_id: str
    client_id: str
    url: str
    reason: str
    disabled_reason: str | None
    consecutive_failures: int
    exhausted: int
    at: datetime

    @property
    def title(self) -> str:
        """One line: the subject of the mail."""
        if self.reason == DISABLED:
            return f"Autos: a webhook endpoint of {self.client_id} was disabled"
        return f"Autos: webhook deliveries to {self.client_id} were given up"

    @property
    def text(self) -> str:
        """What happened and what to do, for a person."""
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
        """The same for a machine: ``type``, ``timestamp``, ``text`` and ``data``."""
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
