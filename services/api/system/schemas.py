"""The shapes of the system's state as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.api.http.schemas import View

_TIME = "2026-03-02T14:30:15.123456Z"


class QueueView(View):
    """What waits at one place."""

    name: Literal[
        "outbox_catalog",
        "outbox_progress",
        "outbox_delivery",
        "jobs_to_plan",
        "documents_under_way",
        "deliveries_due",
        "deliveries_later",
    ] = Field(description="Where", examples=["documents_under_way"])
    waiting: int = Field(ge=0, description="How many", examples=[120])
    oldest_seconds: float | None = Field(
        description="How long the oldest has waited; null when nothing waits", examples=[3.2]
    )


class LagView(View):
    """How far a consumer group is behind on a topic."""

    group: str = Field(description="The consumer group", examples=["autos.fetcher"])
    topic: str = Field(description="The topic", examples=["document.requested"])
    behind: int = Field(ge=0, description="Records that it has not done", examples=[0])


class DeadLettersView(View):
    """What was given up, by where it lies."""

    topic: str = Field(description="A topic, a table, or an outbox's events set aside", examples=["document.dead"])
    count: int = Field(ge=0, description="Records", examples=[0])


class SystemView(View):
    """How the system does now."""

    at: datetime = Field(description="When this was so", examples=[_TIME])
    queues: list[QueueView] = Field(description="What waits where")
    lags: list[LagView] | None = Field(description="Null when the broker is away or does not show them to the API")
    dead_letters: list[DeadLettersView] = Field(
        description="What was given up; the topics' are left out when `lags` is null"
    )
