"""The routes of the page: ``/`` for people, its files below ``/page``. They need no key; what the page shows does."""

from __future__ import annotations

import hashlib
from html import escape
from typing import Final

from fastapi import APIRouter, Request, Response

from services.api.http.answers import Json, matches
from services.api.http.preferences import weights
from services.api.http.problems import NotFound
from services.api.page.files import PageFiles
from services.api.page.policy import content_policy, origin_of
from services.api.processes.view.link_cache import LinkCache

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_CHECKED: Final = "no-cache"
_FOR_PROGRAMS: Final = {"documentation": "docs", "openapi": "openapi.json", "health": "health/ready"}
"""What a program is told that asks for ``/`` as JSON: addresses, relative to this one."""


def page_router(links: LinkCache, name: str, version: str, extension_url: str | None = None) -> APIRouter:
    """The routes. ``extension_url`` is where a further tab is served from (the embedded stack's), None: none."""
    assets = PageFiles()
    extension = origin_of(extension_url) if extension_url else None
    named = f'<meta name="autos-extension" content="{escape(extension_url)}">' if extension_url else ""
    document = assets.index(named).encode()
    tag = f'"{hashlib.sha256(document).hexdigest()[:16]}"'
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page(request: Request) -> Response:
        vary = {"Vary": "Accept"}
        if prefers_json(", ".join(request.headers.getlist("accept"))):
            return Json({"name": name, "version": version, **_FOR_PROGRAMS}, headers=vary)
        # Also of a 304: what it says takes the place of what the browser has kept (RFC 9111, section 3.2).
        policy = content_policy(links.origin, extension)
        headers = {"ETag": tag, "Cache-Control": _CHECKED, "Content-Security-Policy": policy, **vary}
        if matches(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        return Response(document, headers=headers, media_type="text/html")

    @router.get("/page/{version}/{path:path}")
    async def file(version: str, path: str) -> Response:
        found = assets.get(path)
        if found is None:
            raise NotFound
        # During an upgrade a page of one version may ask a replica of the other: it gets what there is, and asks again.
        cache = _FOR_EVER if version == assets.version else _CHECKED
        return Response(found.content, headers={"Cache-Control": cache, "Content-Type": found.media_type})

    return router


def prefers_json(accept: str) -> bool:
    """Whether an ``Accept`` names JSON, and HTML not as much: a program, and no browser."""
    given = weights(accept)
    return given.get("application/json", 0.0) > max(given.get("text/html", 0.0), 0.0)
