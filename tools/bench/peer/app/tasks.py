"""The tasks: read a case, fetch its documents, tell that it is there. Each may be run again after a crash."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from datetime import UTC, datetime
from typing import IO

import httpx
from celery import Celery

from . import rows
from .case import chunks, document_paths
from .clients import http, marks, pool, s3, settings
from .signing import signed_headers

_PIECE_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 8 * 1024 * 1024
_MARK_SECONDS = 24 * 3600
_RETRY = {"autoretry_for": (httpx.HTTPError,), "retry_backoff": True, "retry_jitter": True, "max_retries": 8}

app = Celery("peer", broker=settings().redis_url)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    # A webhook does not wait behind the documents of other cases.
    task_routes={f"{__name__}.notify": {"queue": "webhooks"}},
)


@app.task(**_RETRY)
def read_case(case_id: str, number: str) -> None:
    """Read the list of documents, keep it, and send a task for each chunk of it."""
    answer = http().get(f"{settings().source_url}/api/v2/processos/{number}", headers=_token())
    answer.raise_for_status()
    paths = document_paths(answer.json())
    with pool().connection() as db:
        rows.plan(db, case_id, paths)
    if not paths:
        _complete(case_id)
        return
    with marks().pipeline() as pipe:
        pipe.sadd(_left(case_id), *range(len(paths)))
        pipe.expire(_left(case_id), _MARK_SECONDS)
        pipe.execute()
    with app.producer_pool.acquire(block=True) as producer:
        for chunk in chunks(paths, settings().chunk):
            fetch.apply_async((case_id, chunk), producer=producer)


@app.task(**_RETRY)
def fetch(case_id: str, documents: list[tuple[int, str]]) -> None:
    """Fetch and store these documents; who stores the last of the case ends it."""
    done = [_store(case_id, position, path) for position, path in documents]
    with pool().connection() as db:
        rows.stored(db, case_id, done)
    with marks().pipeline() as pipe:
        pipe.srem(_left(case_id), *(position for position, _ in documents))
        pipe.scard(_left(case_id))
        _, left = pipe.execute()
    if not left:
        _complete(case_id)


@app.task(**_RETRY)
def notify(case_id: str, url: str) -> None:
    """Send the signed webhook; anything but a success is tried again, later and later."""
    with pool().connection() as db:
        body = json.dumps({"type": "case.completed", "data": rows.view(db, case_id)}, default=str).encode()
    headers = signed_headers(settings().webhook_secret, case_id, int(time.time()), body)
    http().post(url, content=body, headers=headers).raise_for_status()
    with pool().connection() as db:
        rows.notified(db, case_id)


def _store(case_id: str, position: int, path: str) -> rows.Stored:
    digest = hashlib.sha256()
    key = f"peer/{case_id}/{position}"
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as body:
        content_type = _read(path, body, digest)
        size = body.tell()
        body.seek(0)
        s3().put_object(
            Bucket=settings().s3_bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            Metadata={"sha256": digest.hexdigest()},
        )
    return rows.Stored(position, key, content_type, size, digest.hexdigest(), datetime.now(UTC))


def _read(path: str, body: IO[bytes], digest: hashlib._Hash) -> str:
    """Read a document into ``body``; its type. Raises httpx.HTTPError."""
    headers = {**_token(), "accept-encoding": "identity"}
    with http().stream("GET", f"{settings().source_url}/api/v2{path}", headers=headers) as response:
        response.raise_for_status()
        for piece in response.iter_raw(_PIECE_BYTES):
            digest.update(piece)
            body.write(piece)
        return str(response.headers.get("content-type", "application/octet-stream"))


def _complete(case_id: str) -> None:
    with pool().connection() as db:
        url = rows.complete(db, case_id)
    if url:
        notify.delay(case_id, url)


def _token() -> dict[str, str]:
    return {"authorization": f"Bearer {settings().source_token}"}


def _left(case_id: str) -> str:
    return f"left:{case_id}"
