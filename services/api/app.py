"""The application: ``create_app`` makes every part and puts them together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from confluent_kafka.admin import AdminClient
from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import select
from starlette.middleware.cors import CORSMiddleware

from services.api import openapi
from services.api.access.auth import Keys, authenticated
from services.api.access.rate_limit import BULK, Limit
from services.api.deliveries import routes as delivery_routes
from services.api.deliveries.service import DeliveryService
from services.api.docs import docs_router
from services.api.documents import routes as document_routes
from services.api.documents.links import LinkCache
from services.api.health import routes as health_routes
from services.api.health.checks import Check, NotWell, Readiness
from services.api.http import failures
from services.api.http.bounds import RequestBounds
from services.api.http.head import HeadAsGet
from services.api.http.middleware import RequestEdge
from services.api.http.open_requests import Places, TooManyStreams, TooManyWaits
from services.api.http.parameters import only_known_parameters
from services.api.jobs import routes as job_routes
from services.api.jobs.repository import release_ended_jobs
from services.api.jobs.service import JobService
from services.api.jobs.set_aside import end_of_job
from services.api.metrics import ApiMetrics
from services.api.processes import many_routes, page_routes
from services.api.processes import routes as process_routes
from services.api.processes.follow.changes import Changes
from services.api.processes.follow.follow import CaseFollower
from services.api.processes.request.batch import BatchService
from services.api.processes.request.discovery import CaseReader
from services.api.processes.request.outcome import Rules
from services.api.processes.request.service import CaseService
from services.api.processes.view.listing import CaseListing
from services.api.processes.view.pages import CasePages
from services.api.resources import Resources
from services.api.settings import ApiSettings
from services.api.webhooks import routes as webhook_routes
from services.api.webhooks.service import WebhookService
from services.api.webhooks.urls import WebhookUrls
from shared.clock import Clock, utc_now
from shared.db import source_forbidden
from shared.db.catalog import jobs, outbox
from shared.db.engine import Database
from shared.errors import InfrastructureAway
from shared.http.dial import WebhookCaller
from shared.http.guard import GuardPolicy, Resolver
from shared.http.lookups import Lookups
from shared.kafka.config import common_config
from shared.outbox.metrics import OutboxMetrics
from shared.outbox.operating import standings
from shared.outbox.publishing import Publisher
from shared.outbox.relay import OutboxRelay
from shared.storage.presigning import make_links
from shared.storage.sizes import ObjectSizes
from shared.storage.store import make_store
from sources.changes import TellsChanges

_RELEASE_EVERY_SECONDS: Final = 10.0
_BROKER_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Source(TellsChanges, Protocol):
    """A source that the application closes at its end."""

    async def aclose(self) -> None:
        """Close its connections."""


def create_app(
    settings: ApiSettings,
    *,
    source: Source,
    publisher: Publisher | None = None,
    clock: Clock = utc_now,
    registry: CollectorRegistry | None = None,
    resolver: Resolver | None = None,
) -> FastAPI:
    """An application. Nothing is dialled before its lifespan begins or a request needs it.

    With ``publisher`` it relays its outbox; without, the rows wait for another replica's relay.
    """
    parts = _make_parts(settings, source, clock, registry or CollectorRegistry(), resolver or Lookups())
    resources, reader, caller = parts
    outbox_metrics = OutboxMetrics(str(outbox.schema), resources.metrics.registry)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        relay = None
        if publisher is not None:
            engine = resources.database.engine
            relay = OutboxRelay(engine, outbox, publisher, metrics=outbox_metrics, on_set_aside=end_of_job)
        resources.changes.start()
        if relay is not None:
            relay.start()
        release = asyncio.create_task(_release_ended(resources.database))
        try:
            yield
        finally:
            resources.changes.close()
            release.cancel()
            await asyncio.gather(release, return_exceptions=True)
            await reader.aclose()
            await source.aclose()
            await caller.aclose()
            if relay is not None:
                await asyncio.to_thread(relay.stop)
            await asyncio.to_thread(resources.changes.stop)
            await asyncio.to_thread(resources.database.close)

    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.resources = resources
    app.state.keys = resources.keys
    for routes in (
        many_routes,
        process_routes,
        page_routes,
        document_routes,
        job_routes,
        delivery_routes,
        webhook_routes,
    ):
        # In this order: who asks comes before what is asked.
        app.include_router(routes.router, dependencies=[Depends(authenticated), Depends(only_known_parameters)])
    app.include_router(health_routes.router, dependencies=[Depends(only_known_parameters)])
    app.include_router(docs_router())
    failures.install(app)
    openapi.install(app)
    if settings.api_cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.api_cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", "If-None-Match", "Last-Event-ID"],
            expose_headers=["ETag", "X-Request-ID", "RateLimit", "RateLimit-Policy", "Retry-After"],
        )
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestEdge, metrics=resources.metrics, bounds=RequestBounds.from_settings(settings))
    return app


def _make_parts(
    settings: ApiSettings, source: Source, clock: Clock, registry: CollectorRegistry, resolver: Resolver
) -> tuple[Resources, CaseReader, WebhookCaller]:
    metrics = ApiMetrics(registry)
    database = Database.connect(
        settings.database_url, application_name="autos-api", pool_size=settings.database_pool_size, beside=True
    )
    changes = Changes(settings.database_url)
    links = LinkCache(make_links(settings, clock), clock, settings.api_public_url)
    store = make_store(settings)
    policy = GuardPolicy.from_settings(settings)
    urls = WebhookUrls(policy, resolver)
    caller = WebhookCaller(policy, timeout=settings.webhook_timeout_seconds, resolver=resolver)
    reader = CaseReader(source, clock, settings.source_deadline_seconds, metrics)
    rules = Rules(
        ttl_seconds=settings.process_ttl_seconds,
        limit=Limit(BULK, settings.rate_limit_bulk, settings.rate_limit_burst),
        max_active_jobs=settings.max_active_jobs,
        share=settings.share_cases,
    )

    cases = CaseService(database, reader, links, clock, rules, metrics)

    async def ask_database() -> None:
        # A table of ours: before the migrations no request can be answered.
        await database.read(lambda connection: connection.execute(select(jobs.c.job_id).limit(1)))

    async def ask_outboxes() -> None:
        stalled = [one for one in await database.read(standings) if one.stalled]
        if stalled:
            raise NotWell("; ".join(f"{one.schema}: the oldest event waits for {one.seconds:.0f} s" for one in stalled))

    async def ask_source() -> None:
        try:
            forbidden = await database.read(source_forbidden.forbidden_for)
        except InfrastructureAway:
            return  # the check of the database says so
        if forbidden is not None:
            raise NotWell(f"source_forbidden: a firewall has forbidden everything for {forbidden:.0f} s")

    async def ask_store() -> None:
        # An empty prefix: an answer means that the bucket is there and the keys are right.
        async for _ in store.list("health/", chunk_size=1):
            break

    resources = Resources(
        settings=settings,
        clock=clock,
        database=database,
        keys=Keys(database, clock),
        links=links,
        store=store,
        objects=ObjectSizes(store),
        changes=changes,
        metrics=metrics,
        readiness=Readiness(
            {
                "database": ask_database,
                "broker": _broker_check(settings),
                "object_store": ask_store,
                "outbox": ask_outboxes,
                "source": ask_source,
            },
            needed={"database"},
        ),
        urls=urls,
        cases=cases,
        batches=BatchService(cases),
        listing=CaseListing(database),
        pages=CasePages(database, links),
        follower=CaseFollower(database, changes, links, clock),
        streams=Places(settings.streams_per_client, TooManyStreams),
        waits=Places(settings.waits_per_client, TooManyWaits),
        jobs=JobService(database, links, clock),
        deliveries=DeliveryService(database, clock),
        webhooks=WebhookService(database, clock, urls, caller, rules.limit, signing_key=settings.signing_key),
    )
    return resources, reader, caller


def _broker_check(settings: ApiSettings) -> Check:
    client = AdminClient(common_config(settings.kafka_bootstrap_servers, settings.kafka_config))

    async def ask_broker() -> None:
        await asyncio.to_thread(client.list_topics, timeout=_BROKER_SECONDS)

    return ask_broker


async def _release_ended(database: Database) -> None:
    """Notices jobs that have ended although nobody asks for their cases, so that they do not count as active."""
    while True:
        try:
            await database.run(release_ended_jobs)
        except InfrastructureAway:
            # The next round finds them too.
            _log.debug("ended jobs could not be released")
        await asyncio.sleep(_RELEASE_EVERY_SECONDS)
