"""The three sizes of a webhook's body; an endpoint that refuses one as too large (413) gets the next smaller one."""

from __future__ import annotations

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


FULL: Final = "full"
THIN: Final = "thin"
"""The words by which a client asks for a form: ``payload`` of an endpoint, ``webhook_payload`` of a request."""
