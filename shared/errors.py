"""The errors that every layer may raise and the consumer runtime understands.

ProcessingError
 +-- PoisonRecord        this record can never be handled: it goes to the dead topic and the partition moves on
 +-- InfrastructureAway  the database, the broker or the object store is away: hold the work and try again
"""

from __future__ import annotations


class ProcessingError(Exception):
    """Base of the errors that the consumer runtime understands."""


class PoisonRecord(ProcessingError):
    """The record is not JSON, not of the schema or of an unknown type. ``reason`` is a stable snake_case code."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class InfrastructureAway(ProcessingError):
    """A server that the work needs does not answer; the work is not at fault. ``retry_in`` is a hint in seconds."""

    def __init__(self, what: str, retry_in: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_in = retry_in
