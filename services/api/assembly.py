"""Makes the parts of an application and puts them together. Nothing is dialled here.

The one module that knows every room of the service: a route asks for a part by its type (``http/provided.py``), and no
room makes a part for itself. Tests give another source, clock, registry or resolver and get the same application.
"""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry

from services.api.access.keys import ApiKeys
from services.api.access.stream_tokens import StreamTokens
from services.api.access_log.history import AccessHistory
from services.api.access_log.writer import AccessRecorder
from services.api.dead_letters.reading import DeadTopics
from services.api.dead_letters.service import DeadLetterService
from services.api.deletions.retention import CaseRetention
from services.api.deletions.service import DeletionService
from services.api.deliveries.service import DeliveryService
from services.api.documents.manifest_service import ManifestService
from services.api.documents.service import DocumentService
from services.api.endpoints.real_body import RealBodies
from services.api.endpoints.service import EndpointLimits, EndpointService
from services.api.endpoints.test_events import TestKeys, TestSender
from services.api.feed.changes import FeedChanges
from services.api.feed.service import FeedService
from services.api.health.checks import Readiness
from services.api.health.probes import probes
from services.api.http.open_requests import OpenStreams, OpenWaits
from services.api.http.problem_codes import problem_codes
from services.api.http.provided import ApplicationParts
from services.api.metrics import ApiMetrics
from services.api.processes.follow.changes import CaseChanges
from services.api.processes.follow.follower import CaseFollower
from services.api.processes.job_by_id import JobService
from services.api.processes.request.batch import BatchService
from services.api.processes.request.rules import RequestRules
from services.api.processes.request.service import CaseService
from services.api.processes.request.source_reader import SourceReader
from services.api.processes.request.start_notices import StartNotices
from services.api.processes.view.case_list import CaseList
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.objects import DocumentObjects
from services.api.processes.view.pages import CasePages
from services.api.settings import ApiSettings
from services.api.source.service import SourceStatusService
from services.api.system.service import SystemState
from services.api.webhooks.public_keys import SigningKeys
from services.api.webhooks.service import WebhookService
from services.api.webhooks.urls import WebhookUrls
from shared.clock import Clock
from shared.db.engine import Database
from shared.http.connection import client_context
from shared.http.dial import WebhookCaller
from shared.http.guard import GuardPolicy, Resolver
from shared.storage.links import make_links
from shared.storage.sizes import ObjectSizes
from shared.storage.store import make_store
from shared.webhooks.manifest_signatures import ManifestSigner
from sources.changes import TellsChanges


class ApiSource(TellsChanges, Protocol):
    """A source that the application closes at its end."""

    async def aclose(self) -> None:
        """Close its connections."""


def make_parts(
    settings: ApiSettings, source: ApiSource, clock: Clock, registry: CollectorRegistry, resolver: Resolver
) -> ApplicationParts:
    """Every part of an application with these settings."""
    parts = ApplicationParts(clock)
    parts.add(settings)
    parts.add(ApiMetrics(registry, problem_codes()))
    database = parts.add(
        Database.connect(
            settings.database_url, application_name="autos-api", pool_size=settings.database_pool_size, beside=True
        )
    )
    parts.add(ApiKeys(database, clock, settings.secret_keys))
    parts.add(StreamTokens(database, clock))
    parts.add(AccessRecorder(database))
    parts.add(AccessHistory(database))
    parts.add(DeliveryService(database, clock))
    kept = settings.case_retention_days
    parts.add(
        CaseRetention(parts.add(DeletionService(database, clock)), database, clock, kept, settings.event_retention_days)
    )
    parts.add(SystemState(database, settings, clock))
    parts.add(DeadLetterService(database, DeadTopics(settings), clock))
    parts.add(OpenStreams(settings.streams_per_client))
    parts.add(OpenWaits(settings.waits_per_client))
    _add_cases(parts, source)
    _add_documents(parts)
    _add_webhooks(parts, resolver)
    return parts


def _add_cases(parts: ApplicationParts, source: ApiSource) -> None:
    settings, database, clock, metrics = parts.get(ApiSettings), parts.get(Database), parts.clock, parts.get(ApiMetrics)
    links = parts.add(LinkCache(make_links(settings, clock), clock, settings.api_public_url))
    changes = parts.add(CaseChanges(settings.database_url))
    reader = parts.add(SourceReader(source, clock, settings.source_deadline_seconds, metrics))
    rules = RequestRules.from_settings(settings)
    notices = parts.add(StartNotices(database))
    cases = parts.add(CaseService(database, reader, links, clock, rules, metrics, notices))
    parts.add(BatchService(cases))
    parts.add(CaseFollower(database, changes, links, clock))
    parts.add(CaseList(database))
    parts.add(CasePages(database, links))
    parts.add(FeedService(database, parts.add(FeedChanges(settings.database_url)), settings.api_public_url))
    parts.add(JobService(database, links, clock))
    parts.add(SourceStatusService(database))


def _add_documents(parts: ApplicationParts) -> None:
    settings, database = parts.get(ApiSettings), parts.get(Database)
    store = parts.add(make_store(settings))
    objects = parts.add(DocumentObjects(database, ObjectSizes(store)))
    manifests = parts.add(ManifestService(database, ManifestSigner(settings.signing_keys), parts.clock))
    parts.add(DocumentService(database, parts.get(LinkCache), store, objects, manifests))
    parts.add(Readiness(probes(settings, database, store), needed={"database"}))


def _add_webhooks(parts: ApplicationParts, resolver: Resolver) -> None:
    settings, database = parts.get(ApiSettings), parts.get(Database)
    policy = GuardPolicy.from_settings(settings)
    urls = parts.add(WebhookUrls(policy, resolver))
    context = client_context(besides=settings.webhook_ca_file)
    caller = parts.add(
        WebhookCaller(policy, timeout=settings.webhook_timeout_seconds, resolver=resolver, context=context)
    )
    limit = RequestRules.from_settings(settings).limit
    parts.add(WebhookService(database, parts.clock, settings.secret_keys))
    parts.add(SigningKeys(settings.signing_keys, settings.webhook_retired_keys))
    kept = settings.header_keys
    limits = EndpointLimits(settings.webhook_endpoints_per_client, limit)
    parts.add(EndpointService(database, parts.clock, urls, kept, limits))
    bodies = RealBodies(parts.get(LinkCache), settings.webhook_max_body_bytes)
    keys = TestKeys(settings.signing_keys, kept)
    parts.add(TestSender(database, parts.clock, urls, caller, limit, keys, bodies))
