"""What the settings say about requests for cases."""

from __future__ import annotations

from dataclasses import dataclass

from services.api.access import rate_limit as ratelimit
from services.api.settings import ApiSettings


@dataclass(frozen=True)
class RequestRules:
    """The settings that requests are decided by. Seconds."""

    ttl_seconds: float
    limit: ratelimit.Limit
    max_active_jobs: int
    share: bool = True
    """AUTOS_SHARE_CASES."""

    @classmethod
    def from_settings(cls, settings: ApiSettings) -> RequestRules:
        """The rules of one api process."""
        return cls(
            ttl_seconds=settings.process_ttl_seconds,
            limit=ratelimit.Limit(ratelimit.BULK, settings.rate_limit_bulk, settings.rate_limit_burst),
            max_active_jobs=settings.max_active_jobs,
            share=settings.share_cases,
        )
