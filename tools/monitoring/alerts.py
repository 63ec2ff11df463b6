"""The alerts. What each means, and what to do, is in docs/runbooks.md; a test holds the two together. Pure."""

from __future__ import annotations

from typing import Final

from tools.monitoring.alert import Alert, Severity

_SERVICES: Final = ("api", "downloader", "status", "notifier")

PROCESSES: Final = (
    Alert(
        "ServiceDown",
        f'max by (service) (up{{service=~"{"|".join(_SERVICES)}"}}) == 0 or '
        + " or ".join(f'absent(up{{service="{service}"}})' for service in _SERVICES),
        "No {{ $labels.service }} answers Prometheus",
        Severity.PAGE,
        wait="2m",
    ),
    Alert(
        "ProcessStuck",
        "max by (service, instance) ({__name__=~"
        '"autos_event_loop_heartbeat_age_seconds|autos_consumer_heartbeat_age_seconds"}) > $limit',
        "{{ $labels.service }} at {{ $labels.instance }} has not moved for {{ $value | humanizeDuration }}",
        Severity.PAGE,
        wait="1m",
        limit=60,
        rehearsal_limit=2,
    ),
    Alert(
        "ApiFails",
        'sum by (code) (increase(autos_api_problems_total{code=~"internal_error|service_unavailable"}[$window]))'
        " > $limit",
        "{{ $value | humanize }} requests were answered with {{ $labels.code }}",
        Severity.PAGE,
    ),
    Alert(
        "HandlerFails",
        "sum by (runtime) (increase(autos_consumer_handler_failures_total[$window])) > $limit",
        "The handler of {{ $labels.runtime }} raised what it should not have",
    ),
)

EVENTS: Final = (
    Alert(
        "OutboxStandsStill",
        "max by (schema) (autos_outbox_waiting_seconds) > $limit",
        "The oldest event of the outbox of {{ $labels.schema }} has waited for {{ $value | humanizeDuration }}",
        Severity.PAGE,
        wait="5m",
        limit=60,
        rehearsal_limit=3,
    ),
    Alert(
        "EventSetAside",
        "max by (schema) (autos_outbox_set_aside_rows) > $limit",
        "{{ $value }} events of {{ $labels.schema }} are set aside",
    ),
    Alert(
        "RecordsHeld",
        "max by (runtime) (autos_consumer_held) > $limit",
        "Records of {{ $labels.runtime }} wait for a server that is away",
        Severity.PAGE,
        wait="10m",
    ),
    Alert(
        "BacklogGrows",
        "sum by (runtime, topic) (autos_consumer_lag) > $limit"
        " and sum by (runtime, topic) (deriv(autos_consumer_lag[$window])) > 0",
        "{{ $labels.runtime }} is {{ $value }} records of {{ $labels.topic }} behind, and it grows",
        wait="30m",
        window="30m",
        limit=1000,
        rehearsal_limit=5,
    ),
    Alert(
        "ProjectionLags",
        "max(autos_status_lag_seconds) > $limit",
        "What clients see is {{ $value | humanizeDuration }} old",
        Severity.PAGE,
        wait="5m",
        limit=30,
        rehearsal_limit=2,
    ),
    Alert(
        "PoisonRecord",
        "(sum(increase(autos_status_dead_letters_total[$window])) or vector(0))"
        ' + (sum(increase(autos_consumer_records_handled_total{outcome=~"poison|handler_error"}[$window]))'
        " or vector(0)) > $limit",
        "{{ $value | humanize }} records could not be handled and are kept as dead letters",
        window="1h",
    ),
    Alert(
        "OffsetsRefused",
        "sum by (runtime) (increase(autos_consumer_commit_failures_total[$window])) > $limit",
        "The broker does not take the offsets of {{ $labels.runtime }}",
        wait="10m",
    ),
    Alert(
        "JobNotFinished",
        "max(autos_api_oldest_unfinished_job_seconds) > $limit",
        "A job was accepted {{ $value | humanizeDuration }} ago and has not ended",
        wait="10m",
        limit=21_600,
        rehearsal_limit=3,
    ),
)

SOURCE: Final = (
    Alert(
        "SourceAway",
        "max(autos_downloader_breaker_state) >= $limit",
        "The source is away; documents wait",
        wait="15m",
        limit=2,
    ),
    Alert(
        "SourceRefusesUs",
        "sum(increase(autos_downloader_refusals_total[$window])) > $limit",
        "The source refuses our credentials; log-ins are paused, everything waits",
        Severity.PAGE,
    ),
    Alert(
        "SourceThrottles",
        'sum by (source) (rate(autos_source_answers_total{code="source_throttled"}[$window]))'
        " / sum by (source) (rate(autos_source_answers_total[$window])) > $limit",
        "{{ $labels.source }} answers {{ $value | humanizePercentage }} of our requests with 429",
        wait="30m",
        window="30m",
        limit=0.1,
        rehearsal_limit=0.01,
    ),
    Alert(
        "DocumentsFail",
        'sum(increase(autos_downloader_documents_total{outcome="failed"}[$window]))'
        ' / sum(increase(autos_downloader_documents_total{outcome=~"failed|available"}[$window])) > $limit',
        "{{ $value | humanizePercentage }} of the documents fail",
        wait="10m",
        window="30m",
        limit=0.1,
    ),
)

WEBHOOKS: Final = (
    Alert(
        "WebhooksGivenUp",
        'sum by (outcome) (increase(autos_webhook_attempts_total{outcome=~"exhausted|gone"}[$window])) > $limit',
        "{{ $value | humanize }} deliveries were given up ({{ $labels.outcome }})",
        window="1h",
    ),
    Alert(
        "WebhooksOverdue",
        "max(autos_webhook_overdue_seconds) > $limit",
        "A delivery to an endpoint that works is {{ $value | humanizeDuration }} late",
        wait="5m",
        limit=300,
        rehearsal_limit=2,
    ),
    Alert(
        "WakeUpsLost",
        "sum(rate(autos_webhook_swept_total[$window])) > $limit",
        "Deliveries are found by the sweeper and not woken",
        wait="30m",
        window="30m",
        limit=0.1,
        rehearsal_limit=0.001,
    ),
    Alert(
        "AlertNotSent",
        'sum by (way) (increase({__name__=~"autos_webhook_alerts_total|autos_downloader_alerts_total",'
        'outcome="failed"}[$window])) > $limit',
        "An alert of Autos' own could not be sent by {{ $labels.way }}",
    ),
)

GROUPS: Final = {
    "autos-processes": PROCESSES,
    "autos-events": EVENTS,
    "autos-source": SOURCE,
    "autos-webhooks": WEBHOOKS,
}
