"""The route of the sources' status."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from services.api.http.answers import matches, not_modified, tagged
from services.api.http.described_problems import described
from services.api.source.schemas import SourceStatus
from services.api.source.service import Sources, tag_of

router = APIRouter(tags=["source"])

Court = Annotated[
    str | None,
    Query(
        description="Count only the cases of this court: J.TR of the case number",
        pattern=r"^([1-9]\.[0-9]{2}|other)$",
        examples=["8.26"],
    ),
]


@router.get(
    "/source/status",
    response_model=None,
    responses={
        200: {"model": SourceStatus, "description": "How the sources stand"},
        304: {"description": "Your copy is current"},
        **described(),
    },
    summary="How the source stands now, and did by hour",
)
async def get_source_status(
    sources: Sources,
    court: Court = None,
    if_none_match: Annotated[str | None, Header(description="The ETag of the copy you have")] = None,
) -> Response:
    """For every key, whatever its scopes: there is nothing of a case in it. The requests are those of the downloaders
    (what the API reads itself is not among them), written every three seconds and kept for 30 days.
    """
    status = await sources.status(court)
    tag = tag_of(status)
    return not_modified(tag) if matches(if_none_match, tag) else tagged(status, tag)
