"""``source.degraded``: a source asks for fewer requests, or is away. About no case, and the same for every client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.clock import rfc3339
from shared.domain.source_state import MESSAGES, SourceState
from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import EventType
from shared.webhooks.facts import SourceChanged


class SourceDegradedData(BaseModel):
    """Which source, how it stands, and why."""

    model_config = ConfigDict(extra="allow")

    source: str = Field(description="Its name, as in `/source/status`")
    state: str = Field(description="`limited` or `away`")
    since: datetime
    reason: str = Field(description="A stable code")
    message: str = Field(description="The same in words")


def _data(facts: SourceChanged, _: BodyForm) -> Mapping[str, Any]:
    reason = facts.reason or "source_unavailable"
    return {
        "source": facts.source,
        "state": facts.state,
        "since": rfc3339(facts.since),
        "reason": reason,
        "message": MESSAGES.get(reason, reason),
    }


EVENT_TYPE: Final = EventType(
    name="source.degraded",
    summary="A source asks for fewer requests, or is away: documents come more slowly, or wait.",
    data=SourceDegradedData,
    facts=SourceChanged,
    at=lambda facts: facts.at,
    render=_data,
    of_case=False,
    applies=lambda facts: facts.state != SourceState.OPEN,
)
