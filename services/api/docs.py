"""The documentation at /docs: shows openapi.json. A file of ours, with no asset from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from importlib.resources import files

from fastapi import APIRouter, Response


def docs_router() -> APIRouter:
    """The route /docs. Its content security policy allows exactly the script and the style in the page."""
    reference = _page("docs.html")
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> Response:
        return reference()

    return router


def _page(name: str) -> Callable[[], Response]:
    page = files("services.api").joinpath(name).read_text(encoding="utf-8")
    allowed = [f"{element}-src {_hash(page, element)}" for element in ("script", "style") if f"<{element}>" in page]
    policy = "; ".join(
        [
            *("default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"),
            *("frame-ancestors 'none'", *allowed),
        ]
    )
    headers = {"Content-Security-Policy": policy}
    return lambda: Response(page, media_type="text/html", headers=headers)


def _hash(page: str, element: str) -> str:
    match = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    assert match is not None, element
    digest = hashlib.sha256(match[1].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
