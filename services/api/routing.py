"""The routes of every application, made once in a process, and the webhooks that the OpenAPI document describes.

They depend on no setting: what a request needs of its application it finds by the request. The framework works out
what a route takes when the first request comes, 80 ms for all of them, and keeps it with the route; so the
applications of one process (the tests make hundreds) share them.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from fastapi import APIRouter, Depends
from starlette.routing import BaseRoute

from services.api.access.dependencies import authenticated
from services.api.access_log import routes as access_log_routes
from services.api.dead_letters import routes as dead_letter_routes
from services.api.deletions import routes as deletion_routes
from services.api.deliveries import routes as delivery_routes
from services.api.docs import docs_router
from services.api.documents import routes as document_routes
from services.api.endpoints import routes as endpoint_routes
from services.api.feed import routes as feed_routes
from services.api.health import routes as health_routes
from services.api.http.parameters import only_known_parameters
from services.api.openapi.document import operation_id
from services.api.processes import batch_routes, job_routes, page_routes, stream_routes
from services.api.processes import routes as process_routes
from services.api.processes.callback import describe_webhooks
from services.api.source import routes as source_routes
from services.api.system import routes as system_routes
from services.api.webhooks import public_keys
from services.api.webhooks import routes as webhook_routes

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


@cache
def application_routes() -> tuple[BaseRoute, ...]:
    """Every route whose behaviour no setting changes."""
    router = APIRouter(redirect_slashes=False, generate_unique_id_function=operation_id)
    for routes in _WITH_KEY:
        # In this order: who asks comes before what is asked.
        router.include_router(routes.router, dependencies=[Depends(authenticated), Depends(only_known_parameters)])
    router.include_router(public_keys.router, dependencies=[Depends(only_known_parameters)])
    router.include_router(stream_routes.router)
    router.include_router(health_routes.router, dependencies=[Depends(only_known_parameters)])
    router.include_router(docs_router())
    return tuple(router.routes)


@cache
def webhook_descriptions() -> APIRouter:
    """What the document says of each type of webhook. Nothing is served by it."""
    router = APIRouter()
    describe_webhooks(router)
    return router
