"""Logs an outage once when it begins and once when it is over, not at each try."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import InfrastructureAway


class Outage:
    """One dependency that is away or not.

    ``began`` and ``is_over`` may be called as often as there are tries: only a change is logged, the beginning as a
    warning with ``began`` as its message, the end as information. Not thread-safe.
    """

    def __init__(self, logger: logging.Logger, *, began: str, over: str, **fields: Any) -> None:
        self._logger = logger
        self._began_message = began
        self._over_message = over
        self._fields = fields
        self._away = False

    @property
    def away(self) -> bool:
        """Whether the dependency was away at the last try."""
        return self._away

    def began(self, **fields: Any) -> None:
        """A try failed because the dependency is away; ``fields`` say what is known of it."""
        if not self._away:
            self._away = True
            self._logger.warning(self._began_message, extra={**self._fields, **fields})

    @contextmanager
    def of_try(self) -> Iterator[None]:
        """One try: InfrastructureAway in the block begins the outage and goes no further, the block's end is its end.

        Any other exception goes on, and says nothing of the dependency.
        """
        try:
            yield
        except InfrastructureAway:
            self.began()
        else:
            self.is_over()

    def is_over(self) -> None:
        """A try succeeded."""
        if self._away:
            self._away = False
            self._logger.info(self._over_message, extra=self._fields)
