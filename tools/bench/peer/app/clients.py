"""One of each client for a process, made when it is first asked for: a forked worker makes its own."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
import httpx
import redis
from botocore.config import Config
from psycopg_pool import ConnectionPool

from .settings import Settings

_TIMEOUT_SECONDS = 60.0
_CONNECTIONS = 64


@cache
def settings() -> Settings:
    """Read once."""
    return Settings.from_environment()


@cache
def pool() -> ConnectionPool:
    """Connections to PostgreSQL; a ``with pool().connection()`` is one transaction."""
    return ConnectionPool(settings().database_url, min_size=1, max_size=16, open=True)


@cache
def http() -> httpx.Client:
    """For the source and for webhooks; keeps its connections."""
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    return httpx.Client(timeout=_TIMEOUT_SECONDS, limits=limits, trust_env=False)


@cache
def marks() -> redis.Redis:
    """Which documents of a case are still to come."""
    return redis.Redis.from_url(settings().redis_url)


@cache
def s3() -> Any:
    """The object store. No checksum besides the SHA-256 that its signature has anyway."""
    of = settings()
    return boto3.client(
        "s3",
        endpoint_url=of.s3_endpoint,
        aws_access_key_id=of.s3_access_key_id,
        aws_secret_access_key=of.s3_secret_access_key,
        region_name="us-east-1",
        config=Config(
            max_pool_connections=_CONNECTIONS,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
        ),
    )
