"""The docs page: one HTML file of ours that shows openapi.json, with no asset from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from fastapi import APIRouter, Response


def docs_router() -> APIRouter:
    """The route /docs. Its content security policy allows exactly the script and the style in the page."""
    page = files("services.api").joinpath("docs.html").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"script-src {_hash(page, 'script')}; style-src {_hash(page, 'style')}"
    )
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> Response:
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy})

    return router


def _hash(page: str, element: str) -> str:
    match = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    assert match is not None, element
    digest = hashlib.sha256(match[1].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
