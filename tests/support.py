"""What tests of several folders use: waiting for a condition with a deadline, and the stacks as data."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import psutil

T = TypeVar("T")

_STEP_SECONDS = 0.02


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process of this machine but ours that has the folder in its command line."""
    found = psutil.process_iter(["pid", "cmdline"])
    return [one for one in found if one.pid != os.getpid() and str(folder) in " ".join(one.info["cmdline"] or [])]


def wait_until(predicate: Callable[[], T], timeout: float = 120.0, what: str = "") -> T:
    """The first true value of ``predicate``. Raises AssertionError after ``timeout`` seconds.

    The deadline is there for what never comes. It is no measure: leave it as it is unless waiting itself is the matter.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or _described(predicate)} (last value: {value!r})")
        time.sleep(_STEP_SECONDS)


@overload
async def wait_until_async(predicate: Callable[[], Awaitable[T]], timeout: float = 120.0, what: str = "") -> T: ...


@overload
async def wait_until_async(predicate: Callable[[], T], timeout: float = 120.0, what: str = "") -> T: ...


async def wait_until_async(predicate: Callable[[], Any], timeout: float = 120.0, what: str = "") -> Any:
    """As :func:`wait_until`, for a function or a coroutine function, without blocking the loop."""
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        value: Any = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or _described(predicate)} (last value: {value!r})")
        await asyncio.sleep(_STEP_SECONDS)


def _described(predicate: Callable[[], Any]) -> str:
    return getattr(predicate, "__qualname__", repr(predicate))


@dataclass(frozen=True)
class Servers:
    """Kafka, PostgreSQL and S3 with migrations, topics and bucket made."""

    bootstrap_servers: str
    owner_url: str
    role_urls: Mapping[str, str]
    """By service: api, downloader, status, notifier; and keys, of `autos keys`."""
    s3_endpoint_url: str
    s3_bucket: str
    s3_access_key_id: str
    s3_secret_access_key: str
    data_dir: Path | None = None
    """The data directory of the embedded stack; None for containers."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a service that uses these servers, without AUTOS_DATABASE_URL."""
        return {
            "AUTOS_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "AUTOS_S3_ENDPOINT_URL": self.s3_endpoint_url,
            "AUTOS_S3_BUCKET": self.s3_bucket,
            "AWS_ACCESS_KEY_ID": self.s3_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.s3_secret_access_key,
        }
