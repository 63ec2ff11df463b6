"""What a handler or a decoder may raise to the consumer runtime.

KafkaRuntimeError
 +-- PoisonRecord        this record can never be handled: to the dead topic, the partition moves on
 +-- InfrastructureAway  database, broker or object store is away: the record is held and tried again
"""

from __future__ import annotations


class KafkaRuntimeError(Exception):
    """Base of what the consumer runtime understands."""


class PoisonRecord(KafkaRuntimeError):
    """The record is not JSON, not of the schema or of an unknown type. ``reason`` is a stable snake_case code."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class InfrastructureAway(KafkaRuntimeError):
    """Something the record needs is away (not the record's fault). ``retry_in`` is a hint in seconds."""

    def __init__(self, what: str, retry_in: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_in = retry_in
