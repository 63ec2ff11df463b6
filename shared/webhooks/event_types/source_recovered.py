"""``source.recovered``: a source that was degraded is open again. About no case, and the same for every client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.clock import rfc3339
from shared.domain.source_state import SourceState
from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import EventType
from shared.webhooks.facts import SourceChanged


class SourceRecoveredData(BaseModel):
    """Which source, and how long it was not as it should be."""

    model_config = ConfigDict(extra="allow")

    source: str = Field(description="Its name, as in `/source/status`")
    state: str = Field(description="`open`")
    since: datetime
    degraded_since: datetime


def _data(facts: SourceChanged, _: BodyForm) -> Mapping[str, Any]:
    return {
        "source": facts.source,
        "state": facts.state,
        "since": rfc3339(facts.since),
        "degraded_since": rfc3339(facts.degraded_since or facts.since),
    }


EVENT_TYPE: Final = EventType(
    name="source.recovered",
    summary="A source that was degraded has been open for half a minute.",
    data=SourceRecoveredData,
    facts=SourceChanged,
    at=lambda facts: facts.at,
    render=_data,
    of_case=False,
    applies=lambda facts: facts.state == SourceState.OPEN,
)
