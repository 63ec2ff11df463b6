"""Which body a delivery sends: deliveries of one job share it."""

from __future__ import annotations

from typing import NamedTuple

from shared.webhooks.body_form import BodyForm
from shared.webhooks.facts import PROCESS_COMPLETED


class BodyKey(NamedTuple):
    """Names a body: that of a job, in the form that its endpoint takes, for a client with the scope ``sealed`` or
    without.
    """

    job_id: str
    form: BodyForm = BodyForm.FULL
    sealed: bool = False
    event_type: str = PROCESS_COMPLETED
    part: int = 0
    """Which of the deliveries of this type; more than one only where a job causes several (document.available)."""
    reference: str | None = None
    """What the client calls the job."""
