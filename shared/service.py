"""How a service process runs: settings, logs, event loop, metrics, signals, one orderly end.

SIGTERM and SIGINT set the stop event; the service finishes what it has in flight within
``AUTOS_SHUTDOWN_SECONDS``. An exception that reaches here ends the process with status 1, and its supervisor (or
Kubernetes) starts it again: nothing is lost, since nothing was acknowledged that was not done.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from shared.metrics import MetricFamilies
from shared.settings import AutosSettings, WrongSettings, load
from shared.shown_settings import shown
from shared.telemetry import configure_logging
from shared.tracing import setup as tracing
from shared.version import __version__

S = TypeVar("S", bound=AutosSettings)

_HEARTBEAT_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)

_YOUNG_OBJECTS: Final = 10_000
"""So many more container objects than before let the collector look at the young ones (CPython's default: 700)."""


def run_service(
    name: str,
    settings_type: type[S],
    main: Callable[[S, asyncio.Event], Awaitable[None]],
    *,
    interrupts_others: bool = False,
) -> int:
    """Run ``main(settings, stop)`` until it returns; the exit status of the process.

    ``main`` gets the checked settings and an event that SIGTERM or SIGINT sets; it must then end by itself within
    ``AUTOS_SHUTDOWN_SECONDS``. Status 0: it returned. 1: it raised. 2: a setting is wrong. 130: interrupted before
    that. ``interrupts_others``: whether somebody waits for each of its answers, so that it may take a processor from
    what runs there (see :func:`let_others_finish`).
    """
    if not interrupts_others:
        let_others_finish()
    settings = load(settings_type)
    configure_logging(name, settings.log_level, settings.log_format)
    _log.info("The service starts", extra=start_fields(settings))
    secret_keys = getattr(settings, "secret_keys", None)
    if secret_keys is not None and not secret_keys:
        _log.warning("Secrets are stored in the clear, no key for them is set")
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
    end_tracing = tracing.start(name, settings.replica, os.environ)
    _spare_the_collector()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_signalled(settings, main))
    except KeyboardInterrupt:
        return 130
    except WrongSettings as error:
        sys.stderr.write(f"wrong settings: {error}\n")
        return 2
    # The edge of the process: say it once, structured, and let the supervisor start it again.
    except Exception:  # noqa: BLE001
        _log.exception("The service has failed and ends; it is started again", extra={"replica": settings.replica})
        return 1
    finally:
        end_tracing()
    return 0


def start_fields(settings: AutosSettings) -> dict[str, object]:
    """What the first line of a service says: version, replica, process, where it listens, and its settings."""
    listens: dict[str, str] = {}
    if settings.metrics_port is not None:
        listens["metrics"] = f"http://{settings.metrics_host}:{settings.metrics_port}/metrics"
    if (host := getattr(settings, "api_host", None)) is not None:
        listens["api"] = f"http://{host}:{getattr(settings, 'api_port', 0)}"
    return {
        "version": __version__,
        "replica": settings.replica,
        "pid": os.getpid(),
        "listens": listens,
        "settings": shown(settings),
    }


async def _until_signalled(settings: S, main: Callable[[S, asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    beating = asyncio.create_task(beat(REGISTRY))
    try:
        await main(settings, stop)
    finally:
        beating.cancel()


class ProcessMetrics:
    """The metrics that every service has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.families = families = MetricFamilies(registry)
        self.heartbeat = families.gauge(
            "autos_event_loop_heartbeat_age_seconds",
            "seconds",
            "Since the event loop last went round; more than a second or two when something blocks it",
        )


async def beat(registry: CollectorRegistry) -> None:
    """Show in the metrics, for as long as this runs, how long ago the event loop last went round."""
    at = time.monotonic()
    gauge = ProcessMetrics(registry).heartbeat
    gauge.set_function(lambda: time.monotonic() - at)
    try:
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            at = time.monotonic()
    finally:
        registry.unregister(gauge)


def let_others_finish() -> None:
    """From now on this thread, and those that it starts, wait for a free processor or the end of another's time slice.

    Linux otherwise lets whoever is woken take the processor from whoever runs, some hundred times for each case on a
    busy machine; with ``SCHED_BATCH`` (sched(7), no privilege needed) more is ready each time that it runs. A policy
    that was set from outside stays, and so it does where the system has no such policy or forbids it: it is only a
    help (docs/adr/0054-who-may-interrupt.md).
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _spare_the_collector() -> None:
    """What is loaded by now stays for good: the collector need not look at it again and again.

    With the defaults it took 4 % of the downloader's event loop, and 0.1 s of each start: the services' ``__main__``
    switch it off until here.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
