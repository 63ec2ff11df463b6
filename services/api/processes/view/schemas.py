"""The shapes of cases, jobs and documents as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import NumberText, ReferenceText, UrlText
from services.api.http.schemas import DocumentStatusName, JobStatusName, PayloadName, View


class JobView(View):
    """A job: the download of a case's documents."""

    job_id: str = Field(examples=["5b0e9e2c-6b1c-4a53-8a56-0b6a1d4f1c11"])
    status: JobStatusName
    total_documents: int = Field(ge=0, examples=[12])
    completed_documents: int = Field(ge=0, examples=[9])
    failed_documents: int = Field(ge=0, examples=[0])
    progress_percentage: float = Field(ge=0, le=100, examples=[75.0])
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str | None
    error_message: str | None
    reference: str | None = Field(description="Yours: what you gave as `reference` for this job last")


class DocumentView(View):
    """A document of a case."""

    id: str = Field(examples=["0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55"])
    source_id: str | None = Field(description="The source's own id; null when it gives none")
    name: str = Field(examples=["Petição inicial.pdf"])
    type: str | None = Field(examples=["Petição"])
    rendition: Literal["binary", "text"] = Field(description="text: the source has only the text of the document")
    court: str | None = Field(examples=["TJSP"])
    degree: str | None = Field(examples=["G1"])
    instance: str | None = Field(examples=["PRIMEIRO_GRAU"])
    position: int = Field(ge=1, description="The place in the case: by filing date, then sequence, over all degrees")
    duplicate_of: str | None = Field(description="The document of the case that has the same bytes and comes first")
    warnings: list[str] = Field(
        description="type_differs, size_differs (from the listing), pdf_without_end, outdated", examples=[[]]
    )
    sequence: int | None
    filed_at: datetime | None
    pages: int | None
    size: int | None = Field(description="Bytes")
    content_type: str | None = Field(examples=["application/pdf"])
    secrecy_level: str | None = Field(examples=["PUBLICO"])
    status: DocumentStatusName
    download_url: str | None = Field(description="Only for an available document; needs no key")
    download_url_expires_at: datetime | None
    sha256: str | None
    error_code: str | None
    error_message: str | None
    attempts: int = Field(ge=0)
    download_started_at: datetime | None
    download_completed_at: datetime | None
    replaced_at: datetime | None = Field(description="When these bytes took the place of others")


class WebhookView(View):
    """Your subscription of the job shown, and how far its delivery is."""

    url: str
    subscription_id: str
    status: str = Field(
        description="pending, sending, waiting, delivered, exhausted, gone or cancelled", examples=["pending"]
    )


class CaseLinks(View):
    """Where the rest of the case is found, relative to this API."""

    self: str
    status: str
    events: str
    files: str
    zip: str
    manifest: str


class ProcessView(View):
    """A case: what the source says of it, its job and its documents."""

    process_number: str = Field(examples=["1000145-91.2023.8.26.0597"])
    court: str | None = Field(examples=["TJSP"])
    degree: str | None
    class_: str | None = Field(alias="class")
    subjects: list[Any]
    parties: list[Any]
    filed_at: datetime | None
    claim_value: float | None
    secrecy_level: int | None
    parties_total: int = Field(ge=0, description="`parties` has the first 500 of them")
    parties_url: str = Field(description="All parties, a page at a time")
    movements: list[Any]
    movements_total: int = Field(ge=0, description="`movements` has the newest 200 of them")
    movements_url: str = Field(description="All movements, a page at a time")
    left_out: dict[str, int] = Field(
        description="How many of what the source lists are not kept, since the case is too large; empty for most cases",
        examples=[{}, {"movements": 1980000}],
    )
    related_processes: list[Any] = Field(description="[{process_number, relation, class}]")
    fetched_at: datetime | None = Field(description="When the source was read; null when it never was")
    stale: bool = Field(description="The source could not be read again, although that was due")
    reference: str | None = Field(description="Your own: given with this request, or last for the job that is shown")
    job: JobView | None
    documents: list[DocumentView]
    documents_total: int = Field(ge=0, description="`documents` has the first 1,000 of them")
    documents_url: str = Field(description="All documents, a page at a time")
    webhook: WebhookView | None
    links: CaseLinks


class JobAnswer(BaseModel):
    """What a key with `download` and without `read` is shown: the job, and nothing of the case."""

    model_config = ConfigDict(extra="forbid")

    process_number: str = Field(examples=["1000145-91.2023.8.26.0597"])
    job: JobView | None


class CancelledJob(JobView):
    """What a key with `download` and without `read` is shown of the job that it cancelled."""

    process_number: str = Field(examples=["1000145-91.2023.8.26.0597"])


class StatusView(View):
    """How far a job is. The job's fields are null for a case that was only registered."""

    process_number: str = Field(examples=["1000145-91.2023.8.26.0597"])
    sealed: bool = Field(
        description="Whether the case is sealed: only keys with the scope `sealed` see it", examples=[False]
    )
    job_id: str | None
    status: JobStatusName | None
    total_documents: int = Field(ge=0)
    completed_documents: int = Field(ge=0)
    failed_documents: int = Field(ge=0)
    progress_percentage: float = Field(ge=0, le=100)
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str | None
    error_message: str | None
    reference: str | None = Field(description="Yours: what you gave as `reference` for this job last")
    documents: list[DocumentView]
    documents_total: int = Field(ge=0, description="`documents` has the first 1,000 of them")
    documents_url: str = Field(description="All documents, a page at a time")


class FilesView(View):
    """The available documents of a case."""

    documents: list[DocumentView]
    documents_total: int = Field(ge=0, description="`documents` has the first 1,000 of them")
    documents_url: str = Field(description="All available documents, a page at a time")


class DocumentPage(View):
    """Documents of a case, in its order."""

    documents: list[DocumentView]
    next_cursor: str | None = Field(description="For the next page; null at the end")
    total: int = Field(ge=0, description="How many documents the filters leave")


class MovementPage(View):
    """Movements of a case, the newest first."""

    movements: list[Any]
    next_cursor: str | None = Field(description="For the next page; null at the end")
    total: int = Field(ge=0, description="How many movements the source lists")


class PartyPage(View):
    """Parties of a case, in the source's order."""

    parties: list[Any]
    next_cursor: str | None = Field(description="For the next page; null at the end")
    total: int = Field(ge=0, description="How many parties the source lists")


class DownloadBody(BaseModel):
    """Options for the download of all documents."""

    model_config = ConfigDict(extra="forbid")

    webhook_url: UrlText | None = Field(None, examples=["https://example.com/hooks/autos"])
    reference: ReferenceText | None = Field(None, description="Your own, comes back in views, webhooks and events")
    webhook_payload: PayloadName | None = Field(None, description="thin: the webhook has no documents")


class StreamTokenBody(BaseModel):
    """What the token is for."""

    model_config = ConfigDict(extra="forbid")

    process_number: NumberText | None = Field(
        None, description="The one case; without it every case of yours", examples=["1000145-91.2023.8.26.0597"]
    )


class StreamTokenView(View):
    """A token that a browser follows a case with."""

    token: str = Field(description="Give it as the parameter `token` of the events", examples=["autos_st_b2xkI…"])
    expires_at: datetime = Field(description="Until then streams may be opened; open ones go on")
    process_number: str | None = Field(description="The one case that it is for; null: every case of yours")


class BatchBody(BaseModel):
    """Many cases at once; each costs what it would cost alone."""

    model_config = ConfigDict(extra="forbid")

    process_numbers: list[NumberText] = Field(
        min_length=1, max_length=500, examples=[["1000145-91.2023.8.26.0597", "5000315-75.2025.4.03.6327"]]
    )
    webhook_url: UrlText | None = Field(None, examples=["https://example.com/hooks/autos"])
    reference: ReferenceText | None = Field(None, description="Your own, the same for each of the cases")
    webhook_payload: PayloadName | None = Field(None, description="thin: the webhook has no documents")


class BatchEntry(View):
    """What became of one number."""

    process_number: str
    outcome: Literal["accepted", "joined", "stored", "refused"]
    job_id: str | None
    problem: dict[str, Any] | None = Field(description="Why it was refused: a problem document")


class BatchView(View):
    """An entry for each number, in order."""

    entries: list[BatchEntry]


class CaseEntry(View):
    """A case that you asked for."""

    process_number: str
    first_requested_at: datetime
    last_requested_at: datetime
    secrecy_level: int | None = Field(
        description="As in ProcessView; null where the case is not read yet", examples=[0]
    )
    sealed: bool = Field(
        description="Whether the case is sealed: only keys with the scope `sealed` see it", examples=[False]
    )
    job: JobView | None
    links: CaseLinks


class CasePage(View):
    """Your cases, the latest asked for first."""

    processes: list[CaseEntry]
    next_cursor: str | None
