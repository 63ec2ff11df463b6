"""One line about an outage of the broker instead of the ten a second that aiokafka writes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

_QUIET_SECONDS: Final = 60.0
_SHOWN: Final = 200


class OutageHandler(logging.Handler):
    """Repeats the first message of a series; a series ends when there was none for a minute."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._monotonic = monotonic
        self._last: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Log the first of a series as one of our own lines; drop the rest of the series."""
        now, last = self._monotonic(), self._last
        self._last = now
        if last is None or now - last > _QUIET_SECONDS:
            first_line = record.getMessage().partition("\n")[0][:_SHOWN]
            _log.warning(
                "The Kafka client reports a failure, it reconnects by itself",
                extra={"client": record.name, "failure": first_line},
            )


def quieten_aiokafka() -> None:
    """Send aiokafka's log through one :class:`OutageHandler` of this process; can be repeated."""
    logger = logging.getLogger("aiokafka")
    logger.propagate = False
    if not any(isinstance(handler, OutageHandler) for handler in logger.handlers):
        logger.handlers[:] = [OutageHandler()]
