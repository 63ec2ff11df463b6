"""The shapes of endpoints and test events as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import NumberText, UrlText
from services.api.http.schemas import PayloadName, View
from shared.webhooks.headers import MOST_HEADERS
from shared.webhooks.registry import SUBSCRIBABLE

DESCRIPTION_LENGTH = 200
_HEADERS = Field(
    description="Sent with each delivery, such as an authorization of your own; kept encrypted and never shown again",
    examples=[{"Authorization": "Bearer my-own-token"}],
    json_schema_extra={
        "maxProperties": MOST_HEADERS,
        # Narrower than what is taken, so that whatever the document allows is taken: "X-" never names one of ours.
        "propertyNames": {"type": "string", "pattern": "^(Authorization|X-[A-Z][a-z0-9]{0,20})$"},
        "additionalProperties": {"type": "string", "pattern": "^[!-~]([ -~]{0,500}[!-~])?$"},
    },
)
# The document names what the rules (rules.py) refuse with codes of their own.
_EVENTS = Field(
    description="Types of events; process.completed when left out",
    examples=[["process.completed"]],
    json_schema_extra={"minItems": 1, "items": {"type": "string", "enum": list(SUBSCRIBABLE)}},
)
_PAYLOAD = Field(description="thin: no documents in the body, `documents_url` leads to them")
_RATE = Field(
    description="Deliveries to this endpoint at most",
    examples=["10/second"],
    json_schema_extra={"pattern": r"^[1-9][0-9]{0,3}/(second|minute)$"},
)
_DESCRIPTION = Field(
    max_length=DESCRIPTION_LENGTH,
    description="For you",
    examples=["Case management"],
    json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"},
)

Events = Annotated[list[str], _EVENTS]
Headers = Annotated[dict[str, str], _HEADERS]
Payload = Annotated[PayloadName, _PAYLOAD]
RateText = Annotated[str, _RATE]
Description = Annotated[str, _DESCRIPTION]


class EndpointBody(BaseModel):
    """An endpoint to register. It gets every event of your cases of the types that it names."""

    model_config = ConfigDict(extra="forbid")

    url: UrlText = Field(examples=["https://example.com/hooks/autos"])
    events: Events | None = None
    payload: Payload = "full"
    headers: Headers = {}
    description: Description | None = None
    rate: RateText | None = None


class EndpointPatch(BaseModel):
    """What is to change; what is left out stays. `headers` takes the place of all that were there."""

    model_config = ConfigDict(extra="forbid")

    url: UrlText | None = Field(None, examples=["https://example.com/hooks/autos"])
    events: Events | None = None
    payload: Payload | None = None
    headers: Headers | None = None
    description: Description | None = None
    rate: RateText | None = None


class EndpointView(View):
    """An endpoint and how it does."""

    id: str
    url: str = Field(description="Of one that is not registered: without its query")
    registered: bool = Field(description="False: it comes from the webhook_url of requests")
    events: list[str]
    payload: PayloadName
    header_names: list[str] = Field(description="Names alone: the values are not shown")
    description: str | None
    rate: str | None
    created_at: datetime
    updated_at: datetime
    consecutive_failures: int
    failing_since: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


class EndpointCreated(EndpointView):
    """A registered endpoint with the secret that its webhooks are signed with, which is shown this once."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])
    previous_secret_until: datetime | None = Field(description="Until then the previous secret signs too")


class EndpointList(View):
    """Your endpoints."""

    endpoints: list[EndpointView]


class TestBody(BaseModel):
    """Where the test event goes: either a URL, or an endpoint that you registered."""

    __test__ = False

    model_config = ConfigDict(extra="forbid")

    url: UrlText | None = Field(None, examples=["https://example.com/hooks/autos"])
    endpoint_id: str | None = Field(
        None, description="With its headers and its secret", json_schema_extra={"format": "uuid"}
    )
    process_number: NumberText | None = Field(
        None, description="The case whose body is measured; the one that you asked for last when left out"
    )


class RealBody(View):
    """What the webhook of a real case would be. Nothing of it is sent."""

    process_number: str
    payload: PayloadName = Field(
        description="full, or thin where that is asked for, full is too large or was refused (413)"
    )
    body_bytes: int
    full_body_bytes: int = Field(description="With its documents, whatever the bound")
    max_body_bytes: int


class TestResult(View):
    """What the receiver answered, and how large bodies are."""

    __test__ = False

    webhook_id: str
    succeeded: bool
    status_code: int | None
    duration_ms: int
    address: str | None
    error_code: str | None
    error_message: str | None
    response_excerpt: str
    body_bytes: int = Field(description="Of the test event")
    real_body: RealBody | None = Field(description="Null when you have no case yet")
