"""Settings: environment variables with the prefix ``AUTOS_`` and a ``.env`` file, checked at the start.

Each service has one settings class, made of the mixins here and of its own fields. A wrong value stops the start
with one clear line and exit status 2 (:func:`load`).
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Rate:
    """So many events in a period (seconds)."""

    limit: int
    period: float

    @property
    def interval(self) -> float:
        """Seconds between two events at exactly this rate."""
        return self.period / self.limit

    def __str__(self) -> str:
        return f"{self.limit}/{self.period:g}s"


def parse_rate(value: object) -> object:
    """``60/minute`` (also second, hour, day) as a Rate; what is no text stays as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(second|minute|hour|day)s?\s*", value)
    if match is None or int(match[1]) == 0:
        raise ValueError("a rate is written like 60/minute (second, minute, hour, day)")
    return Rate(int(match[1]), _UNITS[match[2]])


def parse_seconds(text: str) -> float:
    """``5``, ``0.5``, ``30s``, ``2m``, ``6h`` or ``1d`` in seconds. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text)
    if match is None:
        raise ValueError(f"not a duration: {text!r} (write seconds, or 30s, 2m, 6h)")
    return float(match[1]) * _DURATION_UNITS[match[2] or "s"]


def _delays(value: object) -> object:
    if isinstance(value, str):
        text = value.strip().removeprefix("[").removesuffix("]")
        return tuple(parse_seconds(part) for part in text.split(",") if part.strip())
    return value


def _words(value: object) -> object:
    if isinstance(value, str):
        text = value.strip().removeprefix("[").removesuffix("]")
        return tuple(part.strip().strip('"') for part in text.split(",") if part.strip())
    return value


def _networks(value: object) -> object:
    words = _words(value)
    if isinstance(words, tuple):
        return tuple(ipaddress.ip_network(word) if isinstance(word, str) else word for word in words)
    return words


def _certificates(path: Path) -> Path:
    """A file that TLS can be verified with; a wrong one must stop the start, and not each connection."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ValueError("must be a readable file of certificates in PEM form") from error
    return path


CertificatesFile = Annotated[FilePath, AfterValidator(_certificates)]
Delays = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_delays)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
RateSetting = Annotated[Rate, NoDecode, BeforeValidator(parse_rate)]


class WrongSettings(ValueError):
    """Raised at the start for settings that are wrong together with what is installed; the text is for operators."""


class AutosSettings(BaseSettings):
    """The base: prefix, ``.env``, where local files go, how much is logged."""

    model_config = SettingsConfigDict(
        env_prefix="AUTOS_",
        env_file=".env",
        # Compose passes what is not set as an empty text.
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        arbitrary_types_allowed=True,
    )

    data_dir: Path = Path(".autos")
    """Where local files go: the spool of downloads, and all of the embedded stack."""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """The least level that is logged."""
    log_format: str = Field("auto", pattern="^(auto|json|text)$")
    """``json`` (an object a line), ``text`` (for people, in colour on a terminal), or ``auto``: text on a terminal,
    else json."""
    replica: str = Field("1", pattern="^[A-Za-z0-9_.-]{1,64}$")
    """Which replica of the service this is; transactional ids are made of it."""
    shutdown_seconds: float = Field(20.0, gt=0, le=600)
    """Seconds that a service has after SIGTERM to finish what it has begun."""
    metrics_port: int | None = Field(None, ge=0, le=65535)
    """A port for Prometheus of its own, for services that serve no HTTP otherwise; unset = none."""
    metrics_host: str = Field("127.0.0.1", min_length=1)
    """The address that this port listens on. ``0.0.0.0`` lets in whoever reaches the host; the metrics need no key."""


class DatabaseSettings(AutosSettings):
    """PostgreSQL. Each service connects with a role of its own."""

    database_url: str = Field(pattern=r"^postgresql(\+psycopg2)?://")
    """``postgresql://USER:PASSWORD@HOST:PORT/NAME``; each service has a user of its own."""
    database_pool_size: int = Field(10, ge=1, le=200)
    """Connections of one process at most."""


class KafkaSettings(AutosSettings):
    """Kafka. ``kafka_config`` is JSON of librdkafka properties (SASL, TLS)."""

    kafka_bootstrap_servers: str = Field(min_length=1)
    """``HOST:PORT`` of the brokers, separated by commas."""
    kafka_config: dict[str, Any] = Field(default_factory=dict)
    """Further properties of librdkafka: SASL, TLS."""
    kafka_group_protocol: str = Field("consumer", pattern="^(consumer|classic)$")
    """How groups are balanced. ``classic`` is for brokers without KIP-848 or with its long session time-out."""
    kafka_group_prefix: str = Field("autos", pattern="^[A-Za-z0-9_.-]+$")
    """What the names of consumer groups begin with; one for each deployment on a broker."""

    def group(self, name: str) -> str:
        """The id of a consumer group of this deployment."""
        return f"{self.kafka_group_prefix}.{name}"


class StorageSettings(AutosSettings):
    """The object store. Without an endpoint it is AWS S3 with its own way of finding credentials."""

    s3_endpoint_url: str | None = None
    """The object store; unset: AWS S3."""
    s3_public_endpoint_url: str | None = None
    """Address of the store in the presigned links, where clients reach it by another name."""
    s3_bucket: str = "autos"
    """The bucket that documents are kept in."""
    s3_ca_file: CertificatesFile | None = None
    """A file of PEM certificates: the authorities that the object store's certificate may come from."""
    s3_region: str = Field("us-east-1", validation_alias=AliasChoices("AUTOS_S3_REGION", "AWS_REGION"))
    """The region that requests and links are signed for."""
    aws_access_key_id: str | None = Field(None, validation_alias="AWS_ACCESS_KEY_ID")
    """The key of the object store; unset: as the AWS libraries find one."""
    aws_secret_access_key: SecretStr | None = Field(None, validation_alias="AWS_SECRET_ACCESS_KEY")
    """The secret of that key."""


def base_address(value: str) -> str:
    """An http(s) address that paths are added to, without its last slash. Raises ValueError."""
    scheme, separator, rest = value.partition("://")
    if separator == "" or scheme.lower() not in ("http", "https") or rest.strip("/") == "":
        raise ValueError("must be an address that starts with http:// or https://")
    if any(mark in rest for mark in "@?#") or any(char.isspace() for char in value):
        raise ValueError("must have no user, query or fragment")
    return value.rstrip("/")


class PublicUrlSettings(AutosSettings):
    """Where clients reach the API: links in views and webhooks are whole with it, and relative to the API without."""

    api_public_url: str | None = None
    """``https://HOST/PATH`` that clients reach the API at."""

    @field_validator("api_public_url")
    @classmethod
    def _public_address(cls, value: str | None) -> str | None:
        return None if value is None else base_address(value)


class WebhookGuardSettings(AutosSettings):
    """Which webhook addresses are allowed (docs/reference/webhooks.md, "Which URLs are taken")."""

    webhook_require_https: bool = False
    """Refuse http."""
    webhook_allowed_domains: Words = ()
    """When set, only these names and what is below them."""
    webhook_allowed_networks: Networks = ()
    """Networks that may be called although they are not public, such as ``10.1.0.0/16``."""
    webhook_ca_file: CertificatesFile | None = None
    """A file of PEM certificates: authorities that receivers' certificates may come from besides the public ones."""


class AlertSettings(AutosSettings):
    """Where alerts go. Without ``smtp_host`` no e-mail is sent, without ``alert_webhook_url`` nothing is posted."""

    smtp_host: str | None = None
    """The mail server."""
    smtp_port: int = Field(25, ge=1, le=65535)
    """Its port."""
    smtp_username: str | None = None
    """The user, where the server asks for one."""
    smtp_password: SecretStr | None = None
    """The user's password."""
    smtp_starttls: bool = False
    """Begin TLS before anything is sent."""
    smtp_from: str = "autos@localhost"
    """The sender of alerts."""
    smtp_to: str | None = None
    """One or more addresses, separated by commas."""
    alert_webhook_url: str | None = None
    """Where alerts are posted to as JSON, with a text that chat systems show."""
    alert_interval_seconds: float = Field(3600.0, gt=0)
    """Seconds: at most one alert about the same thing in this time."""

    @model_validator(mode="after")
    def _somebody_reads_the_mail(self) -> AlertSettings:
        if self.smtp_host and not self.smtp_to:
            raise ValueError("AUTOS_SMTP_TO is needed when AUTOS_SMTP_HOST is set")
        return self


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Read and check the settings. A wrong or missing one prints one line, without its value, and raises
    SystemExit(2).
    """
    try:
        return settings()
    except ValidationError as error:
        problems = []
        for item in error.errors():
            name = str(item["loc"][0]) if item["loc"] else "settings"
            name = name if name.isupper() else f"AUTOS_{name.upper()}"
            problems.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
        sys.stderr.write(f"wrong settings: {'; '.join(problems)}\n")
        raise SystemExit(2) from None
    # A field of JSON that is not JSON; the text names the field and not its value.
    except SettingsError as error:
        sys.stderr.write(f"wrong settings: {error}\n")
        raise SystemExit(2) from None
