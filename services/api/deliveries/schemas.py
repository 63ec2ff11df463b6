"""The shapes of deliveries as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from services.api.http.schemas import DeliveryStatusName, View


class AttemptView(View):
    """One request to the receiver. Durations are milliseconds."""

    attempt: int
    started_at: datetime
    duration_ms: int
    dns_ms: int | None
    connect_ms: int | None
    tls_ms: int | None
    first_byte_ms: int | None
    address: str | None = Field(description="The address dialled")
    status_code: int | None
    succeeded: bool
    error_code: str | None
    error_message: str | None
    response_excerpt: str | None = Field(description="The first 4 KiB of the answer")
    request_headers: dict[str, str] | None = Field(
        description="What was sent; of headers that you set for the endpoint the names alone. Null: none was made",
        examples=[{"content-type": "application/json", "webhook-id": "8fa6da03-efe2-59ea-b563-8a6fa5cc1a2e"}],
    )
    span_id: str | None = Field(
        description="Its span in the trace of the job's request; null without tracing", examples=["00f067aa0ba902b7"]
    )


class DeliveryView(View):
    """A webhook that is to be sent, is being sent, or was sent, with every attempt."""

    id: str = Field(description="The same as the header webhook-id")
    subscription_id: str
    job_id: str | None = Field(description="Null: it is about no case, but a source")
    process_number: str | None = Field(description="Null likewise")
    endpoint_id: str
    url: str
    event_type: str = Field(description="`type` of the body", examples=["process.completed"])
    status: DeliveryStatusName
    next_attempt_at: datetime | None
    last_status_code: int | None
    last_error_code: str | None
    created_at: datetime
    updated_at: datetime
    delivered_at: datetime | None
    trace_id: str | None = Field(
        description="The trace of the request that started its job, where that was yours",
        examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
    )
    attempt_count: int = Field(ge=0, description="The one being sent included")
    attempts: list[AttemptView] = Field(description="Those that have ended, oldest first; of very many the newest")


class DeliveryPage(View):
    """Deliveries, newest first."""

    deliveries: list[DeliveryView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end")
