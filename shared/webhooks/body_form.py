"""The three sizes of a webhook's body; an endpoint that refuses one as too large (413) gets the next smaller one."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

THIN_BYTES: Final = 64 * 1024
"""A thin body is smaller: servers that take 100 kB (Express by default) take it."""
BARE_BYTES: Final = 16 * 1024
"""A bare body is smaller."""


class BodyForm(IntEnum):
    """How much of its case a body has; the larger number is the smaller body."""

    FULL = 0
    THIN = 1
    BARE = 2

    @classmethod
    def of_payload(cls, payload: str | None) -> BodyForm:
        """The form that a client asked for: ``thin``, else full (docs/reference/webhooks.md, "Size")."""
        return cls.THIN if payload == THIN else cls.FULL


SMALLER_FOR: Final = timedelta(days=30)
"""How long it is remembered that an endpoint refused a body as too large; then a full one is tried again."""


def form_now(form: int, since: datetime | None, now: datetime) -> BodyForm:
    """The form of the bodies that an endpoint gets now which has refused larger ones, last at ``since``."""
    return BodyForm(form) if since is not None and now - since < SMALLER_FOR else BodyForm.FULL


FULL: Final = "full"
THIN: Final = "thin"
"""The words by which a client asks for a form: ``payload`` of an endpoint, ``webhook_payload`` of a request."""
