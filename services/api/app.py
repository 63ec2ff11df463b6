"""The application: its parts, its routes, and what surrounds every request."""

from __future__ import annotations

from typing import Final

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware

from services.api.access.dependencies import authenticated
from services.api.access_log import routes as access_log_routes
from services.api.access_log.writer import AccessLog, AccessRecorder
from services.api.assembly import ApiSource, make_parts
from services.api.dead_letters import routes as dead_letter_routes
from services.api.deletions import routes as deletion_routes
from services.api.deliveries import routes as delivery_routes
from services.api.docs import docs_router
from services.api.documents import routes as document_routes
from services.api.endpoints import routes as endpoint_routes
from services.api.feed import routes as feed_routes
from services.api.health import routes as health_routes
from services.api.http import error_handlers
from services.api.http.bounds import RequestBounds
from services.api.http.compression import GzipAnswers
from services.api.http.head import HeadAsGet
from services.api.http.middleware import RequestEdge
from services.api.http.parameters import only_known_parameters
from services.api.http.provided import ApplicationParts
from services.api.http.slashes import ForgiveSlashes
from services.api.http.trace_edge import TraceEdge
from services.api.lifespan import make_lifespan
from services.api.metrics import ApiMetrics
from services.api.openapi import document as openapi
from services.api.page.routes import page_router
from services.api.processes import batch_routes, job_routes, page_routes, stream_routes
from services.api.processes import routes as process_routes
from services.api.processes.view.link_cache import LinkCache
from services.api.settings import ApiSettings
from services.api.source import routes as source_routes
from services.api.system import routes as system_routes
from services.api.webhooks import public_keys
from services.api.webhooks import routes as webhook_routes
from shared.clock import Clock, utc_now
from shared.http.guard import Resolver
from shared.http.lookups import Lookups
from shared.outbox.publishing import Publisher

_WITH_KEY: Final = (
    batch_routes,
    process_routes,
    page_routes,
    document_routes,
    deletion_routes,
    job_routes,
    feed_routes,
    delivery_routes,
    endpoint_routes,
    webhook_routes,
    source_routes,
    system_routes,
    dead_letter_routes,
    access_log_routes,
)
"""The routes that need a key, in the order of the OpenAPI document."""


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
        lifespan=make_lifespan(parts, source, publisher),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=openapi.operation_id,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = parts
    _add_routes(app)
    app.include_router(
        page_router(parts.get(LinkCache), openapi.TITLE, openapi.VERSION, settings.api_page_extension_url)
    )
    error_handlers.install(app)
    openapi.install(app, settings.api_public_url)
    _add_middleware(app, settings, parts)
    return app


def _add_routes(app: FastAPI) -> None:
    for routes in _WITH_KEY:
        # In this order: who asks comes before what is asked.
        app.include_router(routes.router, dependencies=[Depends(authenticated), Depends(only_known_parameters)])
    app.include_router(public_keys.router, dependencies=[Depends(only_known_parameters)])
    app.include_router(stream_routes.router)
    app.include_router(health_routes.router, dependencies=[Depends(only_known_parameters)])
    app.include_router(docs_router())


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
