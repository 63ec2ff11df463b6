"""What one request is charged against its client's rate limit: once, whatever it causes together."""

from __future__ import annotations

from dataclasses import dataclass

from services.api.access import rate_limit as ratelimit


@dataclass
class RateLimitCharge:
    """What a request has been charged until now. One request has one of these; it is never shared."""

    allowance: ratelimit.Allowance | None = None
    """How the limit stands after the request was charged for a read; None: it was not."""
    covers_job: bool = False
    """Whether this client was charged for the read that starts the job: the read and the job cost once together."""

    def is_due(self, *, starts: bool, attaches: bool) -> bool:
        """Whether a request that starts a job or attaches a webhook is still to be charged."""
        if starts:
            return not self.covers_job
        return attaches and self.allowance is None
