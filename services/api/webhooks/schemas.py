"""The shapes of secrets and test events as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import UrlText
from services.api.http.schemas import View


class SecretView(View):
    """The secret that your webhooks are signed with (Standard Webhooks)."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])
    previous_secret_until: datetime | None = Field(description="Until then the previous secret signs too")


class TestBody(BaseModel):
    """Where the test event goes."""

    model_config = ConfigDict(extra="forbid")

    url: UrlText = Field(examples=["https://example.com/hooks/autos"])


class TestResult(View):
    """What the receiver answered."""

    webhook_id: str
    succeeded: bool
    status_code: int | None
    duration_ms: int
    address: str | None
    error_code: str | None
    error_message: str | None
    response_excerpt: str
