"""The notifier's process: starts consumers, dispatcher, sweeper, alerts and relay, and ends them in order.

Two consumers write rows and wake the dispatcher; the dispatcher sends what is due, as far as slots, rate and breaker of
each endpoint allow. Kafka only says when to look: whatever a lost wake-up leaves, the sweeper finds in the rows.
A part that ends by itself ends the process, so that no replica goes on with half of its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final

from prometheus_client import REGISTRY, CollectorRegistry

from services.notifier.alerts.endpoint_alerts import EndpointAlerter
from services.notifier.alerts.outbox_alerts import OutboxAlerter
from services.notifier.alerts.source_notices import SourceNotices
from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.endpoint_breaker import EndpointBreakerPolicy
from services.notifier.domain.endpoint_queues import EndpointQueues, QueuePolicy
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.domain.slots import SlotLimits
from services.notifier.intake.access_log_upkeep import AccessLogUpkeep
from services.notifier.intake.announcer import DocumentAnnouncer
from services.notifier.intake.deletion_rows import OF_JOBS, purge
from services.notifier.intake.feed_upkeep import FeedUpkeep
from services.notifier.intake.handlers import Intake
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending.bodies import WebhookBodies
from services.notifier.sending.call import ReceiverCall
from services.notifier.sending.claim import Claims
from services.notifier.sending.dispatcher import DeliveryDispatcher
from services.notifier.sending.policy import SendingPolicy
from services.notifier.sending.prepare import RequestPreparation
from services.notifier.sending.record import Recorder
from services.notifier.sending.standing import DeliveryStanding
from services.notifier.sending.sweeper import Sweeper, SweepPolicy
from services.notifier.settings import NotifierSettings
from shared.alerts.sender import AlertSender, channels_of
from shared.clock import Clock, utc_now
from shared.db import delivery
from shared.db.engine import Database
from shared.deletion import DeletionSteps
from shared.events.envelope import Event, decoder
from shared.events.flow import READERS
from shared.events.process_completed import ProcessCompleted
from shared.events.topics import EVENTS, WEBHOOK_DEAD, WEBHOOK_RETRY, WEBHOOK_SUBSCRIBED
from shared.events.webhook_retry import WebhookRetry
from shared.http.connection import client_context
from shared.http.dial import WebhookCaller
from shared.http.guard import GuardPolicy
from shared.kafka.config import consumer_config
from shared.kafka.consumer.client import kafka_consumer
from shared.kafka.consumer.dead_letter import to_topic
from shared.kafka.consumer.due_times import longest_waits
from shared.kafka.consumer.handling import Done, Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import Producer
from shared.outbox.metrics import OutboxMetrics
from shared.outbox.relay import OutboxRelay, RelayLimits
from shared.storage.links import make_links

_LEASE_MARGIN: Final = 8.0
"""Seconds that a lease outlasts the time-out of a call: to render the body before it and to record it after."""
_GATHER_SECONDS: Final = 0.05
"""Events here say what has happened, or wake in five seconds at the soonest: they may gather under load."""
_HANDLERS: Final = 200
_LONGEST_WAIT: Final = 1.1 * 6 * 3600.0
"""Seconds: the longest retry delay and its jitter, or the longest Retry-After."""


class Notifier:
    """One replica. ``registry`` is for tests that run several in a process."""

    def __init__(
        self, settings: NotifierSettings, *, clock: Clock = utc_now, registry: CollectorRegistry = REGISTRY
    ) -> None:
        self._settings = settings
        self.database = Database.connect(
            settings.database_url, application_name="autos-notifier", pool_size=settings.database_pool_size
        )
        self._producer = Producer(settings.kafka_bootstrap_servers, settings.kafka_config)
        self._relay = OutboxRelay(
            self.database.engine,
            delivery.outbox,
            self._producer,
            RelayLimits(gather_seconds=_GATHER_SECONDS),
            metrics=OutboxMetrics(delivery.SCHEMA, registry),
        )
        metrics = NotifierMetrics(registry)
        policy = _sending_policy(settings)
        self._caller = WebhookCaller(
            GuardPolicy.from_settings(settings),
            timeout=settings.webhook_timeout_seconds,
            context=client_context(besides=settings.webhook_ca_file),
        )
        self._alert_sender = AlertSender(
            list(channels_of(settings)), lambda way, outcome: metrics.alerts.labels(way, outcome).inc()
        )
        self.dispatcher = self._make_dispatcher(policy, clock, metrics)
        self._intake = Intake(
            database=self.database, dispatcher=self.dispatcher, policy=policy.retry, clock=clock, metrics=metrics
        )
        self._sweeper = Sweeper(
            database=self.database,
            dispatcher=self.dispatcher,
            policy=SweepPolicy(
                every=settings.webhook_sweep_seconds, retention=timedelta(days=settings.attempt_retention_days)
            ),
            clock=clock,
            metrics=metrics,
        )
        self._standing = DeliveryStanding(self.database, metrics)
        self._feed_upkeep = FeedUpkeep(self.database, clock, retention=timedelta(days=settings.event_retention_days))
        reads_kept = timedelta(days=settings.access_log_days)
        self._access_log_upkeep = AccessLogUpkeep(self.database, clock, retention=reads_kept)
        self._deletions = DeletionSteps(self.database, delivery.SCHEMA, purge, clock, OF_JOBS)
        self._announcer = DocumentAnnouncer(
            database=self.database,
            dispatcher=self.dispatcher,
            every=settings.webhook_documents_seconds,
            clock=clock,
            metrics=metrics,
        )
        sender, interval = self._alert_sender, timedelta(seconds=settings.alert_interval_seconds)
        self._endpoint_alerter = EndpointAlerter(database=self.database, sender=sender, interval=interval, clock=clock)
        self._outbox_alerter = OutboxAlerter(self.database, sender, interval=interval, clock=clock)
        self._source_notices = SourceNotices(self.database, clock, self._offering(metrics))
        kafka_metrics = KafkaMetrics(registry)
        self._runtimes: list[ConsumerRuntime[Any]] = [
            self._events_runtime(kafka_metrics),
            self._wakes_runtime(kafka_metrics),
        ]

    def _offering(self, metrics: NotifierMetrics) -> Callable[[int, Sequence[DueDelivery]], None]:
        def created(number: int, due: Sequence[DueDelivery]) -> None:
            metrics.created.inc(number)
            self.dispatcher.offer(due)

        return created

    def _make_dispatcher(self, policy: SendingPolicy, clock: Clock, metrics: NotifierMetrics) -> DeliveryDispatcher:
        settings = self._settings
        bodies = WebhookBodies(
            make_links(settings, clock),
            clock,
            most_bytes=settings.webhook_max_body_bytes,
            public_url=settings.api_public_url,
        )
        queues = _queue_policy(settings)
        return DeliveryDispatcher(
            queues=EndpointQueues(queues),
            claims=Claims(self.database, bodies, policy.retry, clock, interval=queues.interval),
            preparation=RequestPreparation(self.database, bodies, policy, clock, settings.header_keys),
            call=ReceiverCall(self._caller, clock, metrics),
            recorder=Recorder(self.database, policy, clock),
            metrics=metrics,
        )

    def _events_runtime(self, metrics: KafkaMetrics) -> ConsumerRuntime[Event]:
        async def handle(event: Event) -> Done:
            await self._intake.handle(event)
            return Done()

        return ConsumerRuntime(
            "notifier",
            consumer=kafka_consumer(self._consumer_config("notifier")),
            topics=list(READERS["notifier"]["notifier"]),
            handling=Handling(
                decode=decoder(ProcessCompleted, *EVENTS[WEBHOOK_SUBSCRIBED]),
                handler=handle,
                dead_letter=to_topic(WEBHOOK_DEAD),
                # What one client asks of one endpoint or job keeps its order; jobs do not wait for each other.
                group_of=lambda event: event.key(),
            ),
            sink=ProducerSink(self._producer),
            limits=RuntimeLimits(
                max_in_flight=_HANDLERS, per_group=1, shutdown_seconds=self._settings.shutdown_seconds / 2
            ),
            metrics=metrics,
        )

    def _wakes_runtime(self, metrics: KafkaMetrics) -> ConsumerRuntime[WebhookRetry]:
        async def handle(event: WebhookRetry) -> Done:
            await self._intake.wake(event)
            return Done()

        return ConsumerRuntime(
            "notifier-retry",
            consumer=kafka_consumer(self._consumer_config("notifier-retry")),
            topics=list(READERS["notifier"]["notifier-retry"]),
            handling=Handling(
                decode=decoder(WebhookRetry),
                handler=handle,
                dead_letter=to_topic(WEBHOOK_DEAD),
                not_before=lambda event: event.not_before.timestamp(),
                # One that comes early changes nothing: the delivery's row says when it is due; the sweeper looks there.
                longest_wait=longest_waits({tier.topic: tier.delay for tier in WEBHOOK_RETRY}, _LONGEST_WAIT),
            ),
            sink=ProducerSink(self._producer),
            limits=RuntimeLimits(max_in_flight=_HANDLERS, shutdown_seconds=self._settings.shutdown_seconds / 2),
            metrics=metrics,
        )

    def _consumer_config(self, name: str) -> dict[str, Any]:
        settings = self._settings
        return consumer_config(
            settings.kafka_bootstrap_servers,
            settings.group(name),
            settings.kafka_config,
            group_protocol=settings.kafka_group_protocol,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop``, then end in order: take nothing more, finish what is being sent, publish, close.

        Raises what made a part end by itself: the process then ends with it, and is started again.
        """
        self._relay.start()
        ending = asyncio.Event()
        parts: list[Coroutine[Any, Any, None]] = [
            *(runtime.run() for runtime in self._runtimes),
            self.dispatcher.run(),
            self._sweeper.run(ending),
            self._standing.run(ending),
            self._feed_upkeep.run(ending),
            self._access_log_upkeep.run(ending),
            self._deletions.run(ending),
            self._announcer.run(ending),
            self._endpoint_alerter.run(ending, self.dispatcher.alert_due),
            self._outbox_alerter.run(ending),
            self._source_notices.run(ending),
        ]
        tasks = [asyncio.create_task(part) for part in parts]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            ending.set()
            for runtime in self._runtimes:
                runtime.stop()
            await self.dispatcher.stop(self._settings.shutdown_seconds / 2)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _close(self) -> None:
        await self._caller.aclose()
        await self._alert_sender.aclose()
        await asyncio.to_thread(self._relay.stop)
        await asyncio.to_thread(self._producer.close)
        await asyncio.to_thread(self.database.close)


def _sending_policy(settings: NotifierSettings) -> SendingPolicy:
    timeout = settings.webhook_timeout_seconds
    return SendingPolicy(
        retry=RetryPolicy(delays=settings.webhook_retry_delays, lease=timeout + _LEASE_MARGIN),
        timeout=timeout,
        disable_after=timedelta(days=settings.webhook_disable_after_days),
        private_keys=settings.signing_keys,
    )


def _queue_policy(settings: NotifierSettings) -> QueuePolicy:
    rate = settings.webhook_endpoint_rate
    return QueuePolicy(
        slots=SlotLimits(
            in_all=settings.webhook_in_flight,
            by_client=settings.webhook_in_flight_per_client,
            by_origin=settings.webhook_in_flight_per_origin,
            by_endpoint=settings.webhook_in_flight_per_endpoint,
        ),
        interval=rate.interval if rate else 0.0,
        breaker=EndpointBreakerPolicy(failures=settings.webhook_breaker_failures),
    )


async def run_worker(settings: NotifierSettings, stop: asyncio.Event) -> None:
    """Run one replica until ``stop``."""
    await Notifier(settings).run(stop)
