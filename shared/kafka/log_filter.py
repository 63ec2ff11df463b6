"""One line about an outage of the broker instead of the forty a second that librdkafka writes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

_QUIET_SECONDS: Final = 60.0
_CONNECTION_FAILURES: Final = ("FAIL ", "ERROR ")


class FirstFailure(logging.Filter):
    """Lets the first connection failure of a series pass; a series ends when there was none for a minute."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._last: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; lines about anything but connections always are."""
        if not record.getMessage().startswith(_CONNECTION_FAILURES):
            return True
        now, last = self._monotonic(), self._last
        self._last = now
        return last is None or now - last > _QUIET_SECONDS


def quiet_logger(name: str) -> logging.Logger:
    """The logger of this name, with one :class:`FirstFailure`; can be repeated."""
    logger = logging.getLogger(name)
    if not any(isinstance(each, FirstFailure) for each in logger.filters):
        logger.addFilter(FirstFailure())
    return logger
