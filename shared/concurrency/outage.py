"""Logs an outage once when it begins and once when it is over, not at each try."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import InfrastructureAway, PoisonRecord


class Outage:
    """One dependency that is away or not.

    ``began`` and ``is_over`` may be called as often as there are tries: only a change is logged, the beginning as a
    warning with ``began`` as its message, the end as information. ``failed`` is for a part that must not end its
    service: whatever else ends a try is logged with it, each time, as an error. Not thread-safe.
    """

    def __init__(
        self, logger: logging.Logger, *, began: str, over: str, failed: str | None = None, **fields: Any
    ) -> None:
        self._logger = logger
        self._began_message = began
        self._over_message = over
        self._failed_message = failed
        self._fields = fields
        self._away = False
        self._failed = False

    @property
    def away(self) -> bool:
        """Whether the dependency was away at the last try."""
        return self._away

    @property
    def failed(self) -> bool:
        """Whether the last try (:meth:`of_try`) ended by an error that is no outage."""
        return self._failed

    def began(self, **fields: Any) -> None:
        """A try failed because the dependency is away; ``fields`` say what is known of it."""
        if not self._away:
            self._away = True
            self._logger.warning(self._began_message, extra={**self._fields, **fields})

    @contextmanager
    def of_try(self) -> Iterator[None]:
        """One try: InfrastructureAway in the block begins the outage and goes no further, the block's end is its end.

        Any other exception says nothing of the dependency. It goes on where there is no ``failed`` to log it with.
        """
        self._failed = False
        try:
            yield
        except InfrastructureAway:
            self.began()
        # An edge where there is a message for it.
        except Exception as error:
            self._failed = True
            if self._failed_message is None:
                raise
            self._log_failure(self._failed_message, error)
        else:
            self.is_over()

    def _log_failure(self, message: str, error: Exception) -> None:
        fields = {**self._fields, "error": type(error).__name__}
        if isinstance(error, PoisonRecord):
            # Without what the database says of it, which may quote what is nobody's business.
            self._logger.error(message, extra={**fields, "reason": str(error)})
        else:
            self._logger.exception(message, extra=fields)

    def is_over(self) -> None:
        """A try succeeded."""
        if self._away:
            self._away = False
            self._logger.info(self._over_message, extra=self._fields)
