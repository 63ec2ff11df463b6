"""The Faust application: one topic, one agent that hands over its events; everything Faust would add is off.

No Tables, no leader election, no topic declarations, no producer, no web server, no directories: Faust reads, the
database holds the state (docs/adr/0008-projection.md, 0013-status-batches.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from yarl import URL

from services.status.faust_stream.credentials import credentials
from services.status.faust_stream.driver import StatusApp
from services.status.settings import StatusSettings

SESSION_SECONDS = 10.0
"""How long a killed worker holds its partitions."""

REQUEST_SECONDS = 12.0
"""How long a broker that is paused or cut off is waited for: more than a session (Faust's own: 90 s)."""
METADATA_SECONDS = 1.0
"""How old what is known about the partitions' leaders may be (as shared/kafka/config.py)."""

Sink = Callable[[Any], Awaitable[None]]
"""Gets each Faust event, in order; an exception ends the application, and the worker begins another."""


def make_app(settings: StatusSettings, topic: str, sink: Sink) -> StatusApp:
    """The application for ``topic``. Call it in a running event loop. Raises UnsupportedKafkaConfig."""
    app = StatusApp(
        settings.group("status"),
        broker=[URL(f"kafka://{server.strip()}") for server in settings.kafka_bootstrap_servers.split(",")],
        broker_credentials=credentials(settings.kafka_config),
        broker_client_id=f"autos-status-{settings.replica}",
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=2.0,
        broker_request_timeout=REQUEST_SECONDS,
        consumer_metadata_max_age_ms=int(METADATA_SECONDS * 1000),
        # Offsets are committed by the worker itself; Faust has none to commit.
        broker_commit_interval=60.0,
        broker_max_poll_interval=600.0,
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_buffer_maxsize=4 * settings.status_batch_size,
        stream_recovery_delay=0.0,
        datadir=settings.data_dir / f"faust-{settings.replica}",
        autodiscover=False,
        store="memory://",
        logging_config=None,
        worker_redirect_stdouts=False,
    )
    channel = app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", acks=False
    )

    async def hand_over(stream: Any) -> None:
        # Not Faust's noack_take: it looks for a batch once in each interval, whether anything has come or not.
        stream.enable_acks = False
        try:
            async for event in stream.events():
                await sink(event)
        except Exception as error:
            # When an agent ends, its partitions stay assigned and unread for ever: end the application with it.
            await app.crash(error)
            raise

    app.agent(channel, name="document-events", concurrency=1)(hand_over)
    return app
