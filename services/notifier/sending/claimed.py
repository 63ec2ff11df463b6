"""A delivery between its claim and its record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.sending.body_key import BodyKey
from shared.webhooks.body_form import BodyForm
from shared.webhooks.facts import PROCESS_COMPLETED


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this process may send until its lease expires."""

    due: DueDelivery
    subscription_id: str
    job_id: str
    process_number: str | None
    """None: it is about no case, but a source."""
    client_id: str
    url: str
    documents: int
    """How many documents its body has."""
    attempt: int
    token: str
    lease_until: datetime
    secrets: tuple[str, ...] = field(repr=False)
    """Those that sign, as they are stored (shared/secrets)."""
    secrets_about: str
    form: BodyForm = BodyForm.FULL
    """What its endpoint takes."""
    sealed: bool = False
    """Whether its client asked with a key of the scope ``sealed``."""
    reference: str | None = None
    """What its client calls the job."""
    event_type: str = PROCESS_COMPLETED
    part: int = 0
    sealed_headers: bytes | None = field(default=None, repr=False)
    """What its client wants sent besides, as it is kept (shared/webhooks/sealing.py)."""

    traceparent: str | None = None
    """The trace that its job began in."""
    starts_in: float = 0.0
    """Seconds after its claim: its endpoint has a rate (domain/endpoint_rate.py)."""
    next_in: float = 0.0
    """Seconds after its claim when the endpoint's next delivery may start; 0 without a rate."""

    @property
    def body_key(self) -> BodyKey:
        """Which body it sends: deliveries of one job share it."""
        return BodyKey(self.job_id, self.form, self.sealed, self.event_type, self.part, self.reference)
