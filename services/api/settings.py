"""The settings of the api."""

from __future__ import annotations

from pydantic import Field

from shared.settings import (
    DatabaseSettings,
    KafkaSettings,
    Networks,
    PublicUrlSettings,
    Rate,
    RateSetting,
    StorageSettings,
    WebhookGuardSettings,
    Words,
)
from shared.webhooks.settings import WebhookBodySettings, WebhookSealingSettings, WebhookSigningSettings
from sources.settings import SourceSettings


class ApiSettings(
    DatabaseSettings,
    KafkaSettings,
    StorageSettings,
    WebhookGuardSettings,
    WebhookBodySettings,
    WebhookSealingSettings,
    WebhookSigningSettings,
    PublicUrlSettings,
    SourceSettings,
):
    """Settings of one api process. Times are seconds."""

    database_pool_size: int = Field(6, ge=2, le=200)
    """Connections of one process. Each has a thread, and of all threads of a process one runs at a time."""

    api_host: str = "127.0.0.1"
    """The address that is listened on."""
    api_port: int = Field(8000, ge=0, le=65535)
    """The port; 0 takes a free one."""
    api_max_body_bytes: int = Field(65536, ge=1024)
    """Bytes of a request's body, declared or not."""
    api_max_head_bytes: int = Field(16384, ge=1024, le=1_048_576)
    """Bytes of a request's header fields together."""
    api_head_seconds: float = Field(10, gt=0, le=300)
    """Seconds from a request's first byte, or the connection's beginning, to the end of its headers."""
    api_body_seconds: float = Field(20, gt=0, le=300)
    """Seconds from the end of a request's headers to the end of its body."""
    api_idle_seconds: float = Field(65, gt=0, le=3600)
    """Seconds that a connection waits for its next request."""
    api_write_seconds: float = Field(60, gt=0, le=3600)
    """Seconds that a client may take nothing of its answer."""
    api_max_connections: int = Field(4096, ge=1)
    """Connections open at once in one process, as far as the process may open files."""
    api_cors_origins: Words = ()
    """Origins that browsers may call from; none by default."""
    api_page_extension_url: str | None = Field(None, pattern=r"^http://(127\.0\.0\.1|\[::1\]):[0-9]{1,5}/$")
    """A module of this machine that the page at / shows a further tab of; the embedded stack sets it, nothing else."""

    api_trusted_proxies: Networks = ()
    """Networks of proxies whose ``X-Forwarded-For`` is believed; the access log has the client's address then."""
    access_log: bool = True
    """Whether each request is a line of the log: method, route, status, duration, client and ids; never an address or a
    header. Who read which case is recorded in any case (AUTOS_ACCESS_LOG_DAYS)."""

    share_cases: bool = True
    """Whether a client's first request for a case is answered with what another client brought. If not, the source is
    read for it first; documents are stored once all the same."""
    case_retention_days: float | None = Field(None, gt=0, le=36_500)
    """Days after which a case that no client has asked for since is deleted with everything; by default never. A case
    whose job runs is left."""
    event_retention_days: float | None = Field(None, gt=0, le=36_500)
    """Days that the public topics keep events, as provisioning has set it: what is known of deleted jobs is forgotten
    after that. By default they keep document.events for ever."""
    process_ttl_seconds: float = Field(86400, ge=0)
    """Seconds that the metadata of a case is taken as fresh."""
    source_deadline_seconds: float = Field(10, gt=0, le=300)
    """Seconds for reading a case while a client waits; then a job does it."""

    rate_limit_bulk: RateSetting = Rate(60, 60.0)
    """What one client may cause in the long run: readings of the source, jobs, webhooks, tests."""
    rate_limit_burst: int = Field(120, ge=1)
    """And how much of that at once."""
    max_active_jobs: int = Field(1000, ge=1)
    """How many jobs one client may have that have not ended."""
    streams_per_client: int = Field(20, ge=1)
    """Event streams that one client may have open in one process."""
    waits_per_client: int = Field(1000, ge=1)
    """Long polls that one client may have open in one process."""

    webhook_endpoints_per_client: int = Field(20, ge=1, le=1000)
    """Endpoints that one client may register."""
    webhook_timeout_seconds: float = Field(15, gt=0, le=30)
    """Seconds for the test event that POST /webhooks/test sends, its answer included."""
