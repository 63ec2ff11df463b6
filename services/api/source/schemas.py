"""The shapes of the sources' status as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from services.api.http.schemas import View
from shared.domain.source_state import SourceState

if TYPE_CHECKING:
    SourceStateName = str
else:
    SourceStateName = Literal[tuple(state.value for state in SourceState)]


class RequestsView(View):
    """Requests of the downloaders to a source, and how they ended."""

    requests: int = Field(description="All requests that ended", examples=[1204])
    succeeded: int = Field(description="What was asked for came", examples=[1190])
    throttled: int = Field(description="The source asked for fewer requests (429)", examples=[2])
    unavailable: int = Field(
        description="No answer, a gateway's 502, 503 or 504, or a firewall's 403: many of these are an outage",
        examples=[5],
    )
    failures: dict[str, int] = Field(
        description="All that did not succeed, by the code of the error",
        examples=[{"no_access": 7, "source_throttled": 2, "source_unavailable": 5}],
    )
    latency_p50_ms: int | None = Field(
        description="Half of the successful requests were over, to the last byte, within so many milliseconds. Null "
        "without any. Interpolated in a histogram; 120,000 means that or more",
        examples=[310],
    )
    latency_p95_ms: int | None = Field(description="The same for 95 of 100", examples=[1450])


class HourView(RequestsView):
    """One hour."""

    hour: datetime = Field(description="When the hour began", examples=["2026-03-02T14:00:00.000000Z"])


class CourtView(RequestsView):
    """One court, over the 30 days."""

    court: str = Field(
        description="Segment of the judiciary and court (J.TR of the case number); `other` for what is none",
        examples=["8.26"],
    )


class SourceView(View):
    """One source: how it stands now, and what it did."""

    source: str = Field(description="The name of the source", examples=["pdpj"])
    state: SourceStateName = Field(
        description="`open`: it answers. `limited`: it asks for fewer requests, or answers some downloaders alone. "
        "`away`: it answers nobody; documents wait, no attempt is counted. `unknown`: no downloader runs",
        examples=["limited"],
    )
    since: datetime | None = Field(description="Since when it is so", examples=["2026-03-02T14:30:15.123456Z"])
    reason: str | None = Field(description="A stable code; null while it is open", examples=["source_throttled"])
    message: str | None = Field(
        description="The reason in words",
        examples=["the source asks for fewer requests (429); documents come more slowly"],
    )
    seen_at: datetime | None = Field(
        description="When a downloader last reported", examples=["2026-03-02T14:30:20.000000Z"]
    )
    hours: list[HourView] = Field(
        description="The latest 30 days, the oldest first; hours without a request are left out"
    )
    courts: list[CourtView] = Field(description="The same 30 days by court")


class SourceStatus(View):
    """The sources that cases and documents come from."""

    sources: list[SourceView] = Field(description="By name; empty before a downloader has run for the first time")
