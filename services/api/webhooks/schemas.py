"""The shapes of secrets and test events, and of what a webhook carries, for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import UrlText
from services.api.processes.view.schemas import DocumentView, View


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


class CompletedData(View):
    """The job's end, the case and its documents."""

    job_id: str
    process_number: str
    status: Literal["completed", "partial", "failed", "cancelled"]
    total_documents: int
    completed_documents: int
    failed_documents: int
    progress_percentage: float
    created_at: datetime
    completed_at: datetime
    process: dict[str, Any] = Field(description="The case fields of ProcessView")
    documents: list[DocumentView] = Field(description="Those that everybody may see; sealed ones are left out")
    documents_total: int
    documents_truncated: bool = Field(description="There are more: `documents_url` has them")
    documents_url: str


class ProcessCompletedWebhook(View):
    """The body of a webhook; signed, see the headers."""

    type: Literal["process.completed"]
    timestamp: datetime
    data: CompletedData
