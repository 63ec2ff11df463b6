"""The shapes of dead letters as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from services.api.dead_letters.places import TOPICS
from services.api.dead_letters.service import ALREADY_REPLAYED, REPLAYED
from services.api.http.schemas import View

if TYPE_CHECKING:
    DeadTopicName = str
    OutcomeName = str
else:
    DeadTopicName = Literal[TOPICS]
    OutcomeName = Literal[REPLAYED, ALREADY_REPLAYED]


class DeadLetterView(View):
    """Something that was given up. What it carries is not shown: `autos dead show` does that."""

    id: str = Field(description="What `replay` takes, and the command `autos dead`", examples=["document.dead/2/17"])
    topic: DeadTopicName = Field(description="Where it lies", examples=["document.dead"])
    at: datetime = Field(description="When it was given up")
    process_number: str | None = Field(description="Of which case; null where that cannot be read")
    job_id: str | None
    document_id: str | None
    delivery_id: str | None = Field(description="Of a webhook whose attempts are used up")
    error_code: str = Field(description="Why", examples=["document_not_found"])
    error_message: str = Field(description="The same in words")
    replayable: bool = Field(description="False for a record that cannot be read: what wrote it has to be mended")
    replayed_at: datetime | None = Field(description="When it was sent again by this API; null: it was not")
    replayed_by: str | None = Field(description="The client whose key asked for that")


class DeadLetterPage(View):
    """Some dead letters, newest first."""

    dead_letters: list[DeadLetterView]
    next_cursor: str | None = Field(description="Null at the end")


class ReplayView(View):
    """What became of a wish to send a dead letter again."""

    id: str
    outcome: OutcomeName = Field(description="`already_replayed`: it was sent again before, and is not once more")
    replayed_at: datetime
    replayed_by: str
