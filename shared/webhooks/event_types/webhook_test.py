"""``webhook.test``: what a client sends itself to see that its receiver works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import EventType
from shared.webhooks.facts import TestSent


class WebhookTestData(BaseModel):
    """Nothing but a greeting."""

    model_config = ConfigDict(extra="allow")

    message: str


def _data(facts: TestSent, _: BodyForm) -> Mapping[str, Any]:
    return {"message": facts.message}


EVENT_TYPE: Final = EventType(
    name="webhook.test",
    summary="A test that a client sent itself.",
    data=WebhookTestData,
    facts=TestSent,
    at=lambda facts: facts.at,
    render=_data,
    subscribable=False,
)
