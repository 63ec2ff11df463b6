"""The application: its parts, its routes, and what surrounds every request."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware

from services.api.access_log.writer import AccessLog, AccessRecorder
from services.api.assembly import ApiSource, make_parts
from services.api.http import error_handlers
from services.api.http.bounds import RequestBounds
from services.api.http.compression import GzipAnswers
from services.api.http.head import HeadAsGet
from services.api.http.middleware import RequestEdge
from services.api.http.provided import ApplicationParts
from services.api.http.slashes import ForgiveSlashes
from services.api.http.trace_edge import TraceEdge
from services.api.lifespan import make_lifespan
from services.api.metrics import ApiMetrics
from services.api.openapi import document as openapi
from services.api.page.routes import page_router
from services.api.processes.view.link_cache import LinkCache
from services.api.routing import application_routes, webhook_descriptions
from services.api.settings import ApiSettings
from shared.clock import Clock, utc_now
from shared.http.guard import Resolver
from shared.http.lookups import Lookups
from shared.outbox.publishing import Publisher

CORS_METHODS: Final = ("GET", "HEAD", "POST", "PATCH", "DELETE")
CORS_REQUEST_HEADERS: Final = (
    *("Authorization", "X-API-Key", "Content-Type", "If-None-Match", "If-Range", "Range", "Last-Event-ID"),
    *("X-Request-ID", "traceparent"),
)
"""What a page may send beside the headers that every page may."""
CORS_ANSWER_HEADERS: Final = (
    *("ETag", "Location", "Link", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-ID"),
    *("Content-Disposition", "Content-Language", "Content-Range", "Accept-Ranges", "WWW-Authenticate"),
)
"""What a page may read beside the headers that every page may (Fetch, "CORS-safelisted response-header name")."""


def create_app(
    settings: ApiSettings,
    *,
    source: ApiSource,
    publisher: Publisher | None = None,
    clock: Clock = utc_now,
    registry: CollectorRegistry | None = None,
    resolver: Resolver | None = None,
) -> FastAPI:
    """An application. Nothing is dialled before its lifespan begins or a request needs it.

    With ``publisher`` it relays its outbox; without, the rows wait for another replica's relay. Each application has
    parts of its own, so that several may live in one process (the tests do).
    """
    parts = make_parts(settings, source, clock, registry or CollectorRegistry(), resolver or Lookups())
    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
        routes=list(application_routes()),
        webhooks=webhook_descriptions(),
        lifespan=make_lifespan(parts, source, publisher),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=openapi.operation_id,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = parts
    app.include_router(
        page_router(parts.get(LinkCache), openapi.TITLE, openapi.VERSION, settings.api_page_extension_url)
    )
    error_handlers.install(app)
    openapi.install(app, settings.api_public_url)
    _add_middleware(app, settings, parts)
    return app


def _add_middleware(app: FastAPI, settings: ApiSettings, parts: ApplicationParts) -> None:
    """The last one added is the outermost."""
    app.add_middleware(AccessLog, recorder=parts.get(AccessRecorder), trusted=settings.api_trusted_proxies)
    app.add_middleware(GzipAnswers)
    app.add_middleware(HeadAsGet)
    app.add_middleware(ForgiveSlashes)
    bounds = RequestBounds.from_settings(settings)
    app.add_middleware(RequestEdge, metrics=parts.get(ApiMetrics), bounds=bounds, access_log=settings.access_log)
    app.add_middleware(TraceEdge)
    if settings.api_cors_origins:
        # Outside of the rest: a page reads problems of every kind, those of the edge too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.api_cors_origins),
            allow_methods=list(CORS_METHODS),
            allow_headers=list(CORS_REQUEST_HEADERS),
            expose_headers=list(CORS_ANSWER_HEADERS),
        )
