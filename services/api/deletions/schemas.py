"""The shapes of deletions as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.api.http.schemas import View

_MOMENT = "2026-03-02T14:00:00.000000Z"
_DIGEST = "a3f5c1d2e4b697880f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978"


class OrdererView(View):
    """Who ordered a deletion; both null where AUTOS_CASE_RETENTION_DAYS did."""

    client_id: str | None = Field(description="The client", examples=["office"])
    key_id: str | None = Field(description="The id of the key", examples=["7d0f3c5e-0f4c-4b35-9c33-0f5f0f6d3c11"])


class DeletionView(View):
    """A deletion: while it is pending how far it is, then its certificate."""

    deletion_id: str = Field(description="Its id", examples=["c229004a-b3f7-42f3-9d3f-b9f2e3239730"])
    status: Literal["pending", "completed"] = Field(
        description="completed: nothing is left of the case", examples=["completed"]
    )
    reason: Literal["request", "retention"] = Field(
        description="request: an administrator ordered it", examples=["request"]
    )
    requested_at: datetime = Field(
        description="When it was ordered; from then on the case is as never asked for", examples=[_MOMENT]
    )
    requested_by: OrdererView = Field(description="Who ordered it")
    deleted_at: datetime | None = Field(description="When the last of it was removed", examples=[_MOMENT])
    case_digest: str = Field(
        description="SHA-256, as hex, of the nonce, a colon and the number with its mask", examples=[_DIGEST]
    )
    documents: int = Field(description="Documents of the case that were removed", examples=[12])
    objects: int = Field(description="Objects that were removed from the store, each version counted", examples=[11])
    deliveries: int = Field(description="Deliveries of webhooks that were removed", examples=[2])
    removed: dict[str, int] = Field(description="All that was removed, by kind", examples=[{"documents": 12}])
    document_hashes: list[str] = Field(
        default_factory=list,
        description="SHA-256 of each document that was available, at most 50,000",
        examples=[[_DIGEST]],
    )
    document_hashes_total: int = Field(0, description="How many documents were available", examples=[11])
    process_number: str | None = Field(
        None, description="While it is pending, and to whoever orders it", examples=["1000145-91.2023.8.26.0597"]
    )
    nonce: str | None = Field(
        None,
        description="While it is pending, and to whoever orders it: keep it, it alone ties the certificate to the case",
        examples=[_DIGEST],
    )


class DeletionPage(View):
    """Deletions, newest first, without hashes."""

    deletions: list[DeletionView] = Field(description="The deletions")
    next_cursor: str | None = Field(description="For the next page; null at the end", examples=[None])
