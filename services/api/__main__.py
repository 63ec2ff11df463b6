"""``python -m services.api``: the HTTP service and the relay of its outbox."""

from __future__ import annotations

import asyncio
import gc

if __name__ == "__main__":
    # What is imported stays: no collector need look at it meanwhile. run_service lets it look again.
    gc.disable()

from prometheus_client import REGISTRY

from services.api.app import create_app
from services.api.server import allow_files, serve
from services.api.settings import ApiSettings
from shared.db.engine import Database
from shared.kafka.producer import Producer
from shared.service import run_service
from sources.base import SourceContext
from sources.metrics import SourceMetrics
from sources.registry import SOURCES, Courts


async def main(settings: ApiSettings, stop: asyncio.Event) -> None:
    """Serve until ``stop``."""
    allow_files(settings.api_max_connections)
    # The api may only read the schema `source`: the downloader renews a token that is shared.
    shared_tokens = Database.connect(settings.database_url, application_name="autos-api-source", pool_size=1)
    answers = SourceMetrics(REGISTRY)
    for name in SOURCES.in_use(settings):
        answers.begin(name)
    heard = answers.counting(Courts(settings.sources).source_of)
    producer = Producer(settings.kafka_bootstrap_servers, settings.kafka_config)
    try:
        app = create_app(
            settings,
            source=SOURCES.connect_all(settings, SourceContext(shared_tokens, read_only=True, on_end=heard)),
            publisher=producer,
            registry=REGISTRY,
        )
        # What was made until now stays to the end. Left out of the collector's rounds, which would otherwise hold up
        # a request for a tenth of a second now and then.
        gc.collect()
        gc.freeze()
        await serve(app, settings, stop)
    finally:
        await asyncio.to_thread(producer.close)
        await asyncio.to_thread(shared_tokens.close)


if __name__ == "__main__":
    raise SystemExit(run_service("api", ApiSettings, main, interrupts_others=True))
