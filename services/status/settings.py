"""The settings of the status service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import DatabaseSettings, KafkaSettings, PublicUrlSettings


class StatusSettings(DatabaseSettings, KafkaSettings, PublicUrlSettings):
    """Database and broker, and how events are gathered into transactions."""

    database_pool_size: int = Field(3, ge=2, le=200)
    """Connections: one for the projection, one for the outbox relay, the rest to spare."""
    status_batch_size: int = Field(1000, ge=1, le=10_000)
    """Events in one transaction at most."""
    status_batch_seconds: float = Field(0.2, gt=0, le=5)
    """Seconds that an event waits for others at most; what may end a job does not wait."""
    status_commit_seconds: float = Field(0.5, gt=0, le=60)
    """Seconds between two commits of offsets; what was not committed is applied again after a kill, to no effect."""
