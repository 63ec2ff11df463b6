"""The shapes of secrets as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from services.api.http.schemas import View


class SecretView(View):
    """The secret that your webhooks are signed with (Standard Webhooks)."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])
    previous_secret_until: datetime | None = Field(description="Until then the previous secret signs too")
