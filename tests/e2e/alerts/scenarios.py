"""The faults that docs/runbooks.md rehearses, as steps: each makes its alerts fire, and then mends what it broke."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import psutil
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from autos.local.pdpj.control import Failure, FailureKind
from autos.local.pdpj.control_model import SourceSetting, TokenSetting
from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.alerts.stopped import main_thread_stopped, stopped
from tests.e2e.journey import owner_cursor
from tests.product import Product
from tests.support import wait_until


@dataclass(frozen=True)
class Rehearsal:
    """What a scenario needs."""

    product: Product
    prometheus: Prometheus
    number: Callable[[], str]

    def case(self, *, documents: int = 2, failure: FailureKind | None = None, webhook: str | None = None) -> str:
        """Ask for a new case; its number."""
        number = self.number()
        failures = [Failure(kind=failure, document="all")] if failure is not None else []
        self.product.simulator.put_case(number, documents=documents, size=1_000, failures=failures)
        self.ask(number, webhook)
        return number

    def ask(self, number: str, webhook: str | None = None) -> int:
        """Ask for a case; the status of the answer."""
        given = {"webhook_url": self.product.receiver.url(webhook)} if webhook is not None else {}
        return self.product.client.get(f"/processes/{number}", params=given).status_code


def receivers_fail(on: Rehearsal) -> None:
    """One receiver is gone for good, others answer 500."""
    on.product.receiver.answer("/alerts/gone", 410)
    on.product.receiver.answer("/alerts/broken", 500)
    on.case(webhook=f"/alerts/gone/{uuid.uuid4()}")
    for _ in range(4):
        on.case(webhook=f"/alerts/broken/{uuid.uuid4()}")
    on.prometheus.expect("WebhooksGivenUp", "WebhooksFail")


def an_alert_gets_lost(on: Rehearsal) -> None:
    """Autos' own alert about a receiver goes to an address where nobody listens."""
    on.product.receiver.answer("/alerts/gone", 410)
    on.case(webhook=f"/alerts/gone/{uuid.uuid4()}")
    on.prometheus.expect("AlertNotSent", within=45)


def a_receiver_is_slow(on: Rehearsal) -> None:
    """A dozen deliveries for a receiver that takes eight seconds for each, four at once."""
    path = f"/alerts/slow/{uuid.uuid4()}"
    on.product.receiver.answer(path, 200, delay=8)
    for _ in range(12):
        on.case(webhook=path)
    on.prometheus.expect("WebhooksOverdue", within=45)
    on.product.receiver.answer(path, 200)


def documents_are_not_there(on: Rehearsal) -> None:
    """A case whose documents answer 404."""
    on.product.wait_for_end(on.case(documents=8, failure=FailureKind.NOT_FOUND_404))
    on.prometheus.expect("DocumentsFail")


def the_source_throttles(on: Rehearsal) -> None:
    """Three requests a second, and 429 for the others."""
    on.product.simulator.configure_source(SourceSetting(rate_limit=3, retry_after=1))
    try:
        on.case(documents=20)
        on.prometheus.expect("SourceThrottles")
    finally:
        on.product.simulator.configure_source(SourceSetting())


def the_source_is_slow(on: Rehearsal) -> None:
    """Documents take two seconds each, and there are many."""
    on.product.simulator.configure_source(SourceSetting(latency=2))
    try:
        numbers = [on.case(documents=60) for _ in range(3)]
        on.prometheus.expect("BacklogGrows", "JobNotFinished", within=45)
    finally:
        on.product.simulator.configure_source(SourceSetting())
    for number in numbers:
        on.product.wait_for_end(number)
    on.prometheus.expect("JobsEndLate")


def the_source_is_away(on: Rehearsal) -> None:
    """Every request is answered with 503."""
    on.product.simulator.outage(FailureKind.UNAVAILABLE_503)
    numbers: list[str] = []
    try:
        for _ in range(6):
            number = on.number()
            on.product.simulator.put_case(number, documents=3, size=1_000)
            numbers.append(number)
            on.ask(number)
        on.prometheus.expect("SourceAway", within=60)
    finally:
        on.product.simulator.outage(None)
    on.product.wait_for_end(numbers[0])


def the_source_refuses_us(on: Rehearsal) -> None:
    """Our secret is wrong from now on, and the tokens have ended."""
    on.product.simulator.configure_tokens(TokenSetting(client_secret="another"))
    on.product.simulator.revoke_tokens()
    try:
        on.case()
        on.prometheus.expect("SourceRefusesUs", within=60)
    finally:
        on.product.simulator.configure_tokens(TokenSetting())


def an_event_is_set_aside(on: Rehearsal) -> None:
    """An event that is larger than any broker takes."""
    number = on.number()
    with owner_cursor(on.product) as cursor:
        cursor.execute(
            "INSERT INTO catalog.outbox (id, aggregatetype, aggregateid, type, payload, headers)"
            " VALUES (%s, 'process.requested', %s, 'autos.process.requested', repeat('x', 1500000), '{}')",
            (str(uuid.uuid4()), number),
        )
    try:
        on.prometheus.expect("EventSetAside")
    finally:
        with owner_cursor(on.product) as cursor:
            cursor.execute("DELETE FROM catalog.outbox WHERE aggregateid = %s", (number,))


def a_handler_fails(on: Rehearsal) -> None:
    """The broker refuses what the fetcher writes for a document that is to be tried again."""
    with _small_records(on.product, "document.retry.5s"):
        on.product.wait_for_end(on.case(documents=1, failure=FailureKind.ERROR_500))
        on.prometheus.expect("HandlerFails", "PoisonRecord")


def the_projection_stands_still(on: Rehearsal) -> None:
    """The status service is held while documents are fetched, and goes on four seconds later."""
    with stopped(on.product, "status"):
        numbers = [on.case(documents=4) for _ in range(3)]
        before = on.prometheus.value("vector(time())")
        wait_until(lambda: on.prometheus.value("vector(time())") > before + 5, what="five seconds")
    on.prometheus.expect("ProjectionLags")
    for number in numbers:
        on.product.wait_for_end(number)


def the_broker_is_away(on: Rehearsal) -> None:
    """The broker is held while a receiver is being called, and while clients ask."""
    path = f"/alerts/late/{uuid.uuid4()}"
    on.product.receiver.answer(path, 500, delay=3)
    number = on.case(webhook=path)
    on.product.wait_for_end(number)
    wait_until(lambda: on.prometheus.value("max(autos_webhook_held)") > 0, what="the delivery under way")
    with stopped(on.product, "kafka"):
        on.case()
        on.prometheus.expect("OutboxStandsStill", "WakeUpsLost", within=60)


def the_object_store_is_away(on: Rehearsal) -> None:
    """The object store is killed as often as it comes back, while there are documents to store."""

    def fires() -> bool:
        pid = on.product.pid("s3")
        if psutil.pid_exists(pid):
            on.product.kill("s3")
        return "RecordsHeld" in on.prometheus.firing()

    number = on.case(documents=40)
    wait_until(fires, what="the alert RecordsHeld")
    on.product.wait_for_end(number)


def the_database_is_away(on: Rehearsal) -> None:
    """The database is killed; who asks meanwhile is told that it is away."""
    number = on.case()
    old = on.product.kill("postgres")

    def refused() -> bool:
        try:
            return on.ask(number) == 503
        except httpx.TransportError:
            return False

    wait_until(refused, what="an answer of 503")
    on.prometheus.expect("ApiFails", "AnswersSlow", within=45)
    on.product.wait_for_restart("postgres", old)
    wait_until(lambda: on.ask(number) < 300, what="the database")


def a_consumer_loses_its_group(on: Rehearsal) -> None:
    """The downloader is held for longer than its session, with offsets to commit."""
    numbers = [on.case(documents=40) for _ in range(4)]
    with stopped(on.product, "downloader"):
        before = on.prometheus.value("vector(time())")
        wait_until(lambda: on.prometheus.value("vector(time())") > before + 12, what="twelve seconds")
    on.prometheus.expect("OffsetsRefused", within=45)
    for number in numbers:
        on.product.wait_for_end(number)


def a_service_does_not_answer(on: Rehearsal) -> None:
    """The notifier is held."""
    with stopped(on.product, "notifier"):
        on.prometheus.expect("ServiceDown")


def an_event_loop_hangs(on: Rehearsal) -> None:
    """The main thread of the notifier is held; the one that answers Prometheus goes on."""
    with main_thread_stopped(on.product.pid("notifier")):
        on.prometheus.expect("ProcessStuck")


QUICK: Final = (
    receivers_fail,
    documents_are_not_there,
    a_service_does_not_answer,
    an_event_loop_hangs,
    the_source_throttles,
    the_source_is_slow,
)
"""Those that need no settings of their own and leave nothing behind, for a product that others use too."""
LONG: Final = (
    an_alert_gets_lost,
    an_event_is_set_aside,
    a_handler_fails,
    the_projection_stands_still,
    a_receiver_is_slow,
    the_object_store_is_away,
    the_broker_is_away,
    a_consumer_loses_its_group,
    the_database_is_away,
    the_source_is_away,
    the_source_refuses_us,
)
"""In this order: what disturbs most comes last."""


@contextmanager
def _small_records(product: Product, topic: str) -> Iterator[None]:
    """The broker takes no record of this topic but tiny ones."""
    admin = AdminClient({"bootstrap.servers": product.stack()["kafka"]})

    def alter(kind: AlterConfigOpType, value: str | None) -> None:
        entry = ConfigEntry("max.message.bytes", value, incremental_operation=kind)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(60)

    alter(AlterConfigOpType.SET, "100")
    try:
        yield
    finally:
        alter(AlterConfigOpType.DELETE, None)
