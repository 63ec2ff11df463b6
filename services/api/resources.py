"""What one application is made of; routes reach it through the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from obstore.store import S3Store

from services.api.access.auth import Keys
from services.api.deliveries.service import DeliveryService
from services.api.documents.links import LinkCache
from services.api.health.checks import Readiness
from services.api.http.open_requests import Places
from services.api.jobs.service import JobService
from services.api.metrics import ApiMetrics
from services.api.processes.follow.changes import Changes
from services.api.processes.follow.follow import CaseFollower
from services.api.processes.request.batch import BatchService
from services.api.processes.request.service import CaseService
from services.api.processes.view.listing import CaseListing
from services.api.processes.view.pages import CasePages
from services.api.settings import ApiSettings
from services.api.webhooks.service import WebhookService
from services.api.webhooks.urls import WebhookUrls
from shared.clock import Clock
from shared.db.engine import Database
from shared.storage.sizes import ObjectSizes


@dataclass(frozen=True)
class Resources:
    """The parts of one application, made by its factory."""

    settings: ApiSettings
    clock: Clock
    database: Database
    keys: Keys
    links: LinkCache
    store: S3Store
    objects: ObjectSizes
    changes: Changes
    metrics: ApiMetrics
    readiness: Readiness
    urls: WebhookUrls
    cases: CaseService
    batches: BatchService
    listing: CaseListing
    pages: CasePages
    follower: CaseFollower
    streams: Places
    waits: Places
    jobs: JobService
    deliveries: DeliveryService
    webhooks: WebhookService


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


Parts = Annotated[Resources, Depends(_resources)]


async def _traceparent(request: Request) -> str:
    found: str = request.state.traceparent
    return found


Trace = Annotated[str, Depends(_traceparent)]
