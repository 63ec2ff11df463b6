"""What a request costs its client: once, whatever it causes together."""

from __future__ import annotations

from dataclasses import dataclass

from services.api.access import rate_limit as ratelimit


@dataclass
class Payment:
    """What a request has paid for until now."""

    allowance: ratelimit.Allowance | None = None
    """How the limit stands after this request paid for a read; None when it has not."""
    has_job: bool = False
    """Whether this client paid for the read that a job is started by: what a request causes together costs once."""

    def is_due(self, *, starts: bool, attaches: bool) -> bool:
        """Whether a request that starts a job or attaches a webhook is still to be paid for."""
        if starts:
            return not self.has_job
        return attaches and self.allowance is None
