"""The shapes of documents' content as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from services.api.http.schemas import View


class PreviewView(View):
    """A link that a browser shows a document with."""

    url: str = Field(description="Needs no key", examples=["https://store.example.com/autos/processes/…?X-Amz-…"])
    expires_at: datetime = Field(description="Until then it works", examples=["2026-03-02T14:35:15.123456Z"])
    content_type: str = Field(description="Its media type, without parameters", examples=["application/pdf"])
