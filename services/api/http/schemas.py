"""What the shapes of answers have in common: their base, and the names of statuses, each made from its enum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from shared.domain.statuses import DeliveryStatus, DocumentStatus, JobStatus
from shared.webhooks.body_form import FULL, THIN

if TYPE_CHECKING:
    JobStatusName = str
    EndedStatusName = str
    DocumentStatusName = str
    DeliveryStatusName = str
    PayloadName = str
else:
    # As text, not as the enum's members: the error for another word lists these.
    JobStatusName = Literal[tuple(status.value for status in JobStatus)]
    EndedStatusName = Literal[tuple(status.value for status in JobStatus if status.ended)]
    DocumentStatusName = Literal[tuple(status.value for status in DocumentStatus)]
    DeliveryStatusName = Literal[tuple(status.value for status in DeliveryStatus)]
    PayloadName = Literal[FULL, THIN]


class View(BaseModel):
    """The base of what is answered."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
