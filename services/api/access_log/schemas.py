"""The shapes of the access log as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from services.api.http.schemas import View

_NUMBER = "1000145-91.2023.8.26.0597"
_DOCUMENT = "0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55"


class AccessEntry(View):
    """One case in one answer."""

    at: datetime = Field(description="When the answer was about to leave", examples=["2026-03-02T14:30:15.123456Z"])
    client_id: str | None = Field(description="Who read; null: an operator, by a command", examples=["office-17"])
    key_id: str | None = Field(
        description="With which key (`autos keys list`)", examples=["5b0e9e2c-6b1c-4a53-8a56-0b6a1d4f1c11"]
    )
    process_number: str = Field(description="The case", examples=[_NUMBER])
    document_id: str | None = Field(
        description="The one document that was read, or whose link was made; null: the answer was about the case",
        examples=[_DOCUMENT],
    )
    route: str = Field(description="Method and route", examples=["GET /processes/{numero}/documents"])
    status: int | None = Field(description="The answer's status", examples=[200])
    documents: int | None = Field(
        description="Documents that the answer listed or held; null: not counted, as in a stream",
        examples=[100],
    )
    links: int | None = Field(description="Links to documents in the answer", examples=[100])
    sealed: bool = Field(
        description="Whether the case, or something of it that the key may see, is sealed", examples=[False]
    )
    address: str | None = Field(
        description="Where the request came from (AUTOS_API_TRUSTED_PROXIES)", examples=["203.0.113.7"]
    )
    request_id: str | None = Field(description="The request's id", examples=["8fa6da03-efe2-59ea-b563-8a6fa5cc1a2e"])
    trace_id: str | None = Field(description="The request's trace", examples=["4bf92f3577b34da6a3ce929d0e0e4736"])


class AccessPage(View):
    """A page of the access log, the newest first."""

    entries: list[AccessEntry] = Field(description="The page's rows")
    next_cursor: str | None = Field(description="For the next page; null at the end", examples=[None])
