"""The shapes of documents' content as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.api.http.schemas import DocumentStatusName, JobStatusName, View


class PreviewView(View):
    """A link that a browser shows a document with."""

    url: str = Field(description="Needs no key", examples=["https://store.example.com/autos/processes/…?X-Amz-…"])
    expires_at: datetime = Field(description="Until then it works", examples=["2026-03-02T14:35:15.123456Z"])
    content_type: str = Field(description="Its media type, without parameters", examples=["application/pdf"])


class ManifestDocument(View):
    """A document in a manifest. Without a hash it was not fetched: `status` and the error say why."""

    id: str
    source: str = Field(description="The source that lists the document", examples=["pdpj"])
    source_id: str | None = Field(description="The source's own id; null when it gives none")
    name: str
    type: str | None
    position: int = Field(ge=1)
    sequence: int | None
    filed_at: datetime | None
    secrecy_level: str | None
    sealed: bool = Field(description="Whether it, or its case, is sealed", examples=[False])
    rendition: Literal["binary", "text"]
    status: DocumentStatusName
    size: int | None = Field(description="Bytes")
    sha256: str | None = Field(description="Of the stored bytes, taken while they were downloaded; hexadecimal")
    content_type: str | None
    fetched_at: datetime | None = Field(description="When the source's answer with these bytes had come")
    object_version: str | None = Field(
        description="The object's version, where the store keeps versions",
        examples=["3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"],
    )
    source_headers: dict[str, str] = Field(
        description="What the source said with these bytes: date, etag, last-modified, content-type, digests",
        examples=[{"date": "Mon, 02 Mar 2026 14:35:15 GMT", "content-type": "application/pdf"}],
    )
    warnings: list[str] = Field(description="What is odd about the bytes, as codes", examples=[[]])
    error_code: str | None
    error_message: str | None


class ManifestJob(View):
    """The job that the manifest was made after."""

    job_id: str
    status: JobStatusName
    created_at: datetime
    completed_at: datetime | None
    error_code: str | None
    error_message: str | None


class ManifestFilter(View):
    """What was asked for."""

    types: list[str] = Field(description="In lower case; empty: all", examples=[[]])
    since: datetime | None = Field(description="Filed then or later", examples=["2026-03-02T03:00:00.000000Z"])


class ManifestView(View):
    """The signed manifest of a case (docs/how-to/verify.md)."""

    format: str = Field(description="The version of this form", examples=["autos-manifest/1"])
    process_number: str
    made_at: datetime = Field(
        description="When the manifest was made, by the clock of Autos", examples=["2026-03-02T14:35:15.123456Z"]
    )
    made_by: str = Field(description="The program and its version", examples=["autos 0.2.0"])
    listed_at: datetime | None = Field(
        description="When the source's list of the case was read; null when never",
        examples=["2026-03-02T14:30:15.123456Z"],
    )
    job: ManifestJob | None
    filter: ManifestFilter | None = Field(description="Null: every document")
    left_out: dict[str, int] = Field(
        description="How many of what the source lists are not kept; empty for most cases", examples=[{}]
    )
    documents_total: int = Field(ge=0)
    documents: list[ManifestDocument]
    key_id: str | None = Field(
        description="`kid` of the key in the JWKS; null when none is set",
        examples=["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"],
    )
    signature: str | None = Field(
        description="A detached JWS, `header..signature`; null when no key is set",
        examples=["eyJhbGciOiJFZERTQSJ9..c2lnbmF0dXJl"],
    )
