"""The shapes of the feed as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from services.api.http.schemas import View


class EventView(View):
    """Something that happened to one of your cases, or to a source."""

    id: str = Field(description="The same however often you read it: what came with it before is a repeat")
    type: str = Field(examples=["process.completed"])
    timestamp: datetime = Field(description="When it happened")
    data: dict[str, Any] = Field(
        description="As in a thin webhook of this type; `documents_url` leads to the documents"
    )


class EventPage(View):
    """Your events, the oldest first."""

    events: list[EventView]
    next_cursor: str = Field(description="Give it as `after` for what follows, now or in a month")
    missed: bool = Field(description="Events behind your cursor were older than the feed keeps them, and are gone")
