"""Renders a delivery's body from the database: the completion, the case, its documents with fresh links.

It is rendered at every attempt, so that the links of the last one work as long as those of the first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from services.notifier.domain.visible import visible_completion
from services.notifier.sending.batch_body_rows import BatchContent, load_batches
from services.notifier.sending.body_key import BodyKey
from services.notifier.sending.body_rows import BodyContent, DocumentState, is_whole_case, load
from services.notifier.sending.source_body_rows import load_source_events
from shared.clock import Clock
from shared.db.prepared import PreparedCall, run_together
from shared.domain.secrecy import LeftOut
from shared.domain.statuses import DocumentStatus
from shared.domain.views import document_view, documents_url, duplicates
from shared.http.disposition import content_disposition
from shared.storage.links import LINK_SECONDS
from shared.storage.store import object_key
from shared.webhooks.event_type import WebhookBody, fitting_body
from shared.webhooks.facts import BodyDocuments, DocumentsStored, JobEnded, SourceChanged
from shared.webhooks.registry import EVENT_TYPES

_log = logging.getLogger(__name__)

# A document has the same name and type in every attempt, and many have the same ones.
_disposition: Final = lru_cache(maxsize=4096)(content_disposition)


class Links(Protocol):
    """What makes links (shared/storage/links.py)."""

    def make(self, key: str, *, content_disposition: str | None = None, content_type: str | None = None) -> str:
        """A link to ``key`` that works for LINK_SECONDS."""


class WebhookBodies:
    """Renders bodies in the caller's thread; none has more than ``most_bytes``.

    Nothing sealed is ever in a body, whoever it is for. Links are made anew for each attempt, without a request.
    """

    def __init__(self, links: Links, clock: Clock, *, most_bytes: int = 1024**2, public_url: str | None = None) -> None:
        self._links = links
        self._clock = clock
        self._most_bytes = most_bytes
        self._public_url = public_url

    def make(
        self, connection: Connection, keys: Sequence[BodyKey], *, first: Sequence[PreparedCall] = ()
    ) -> dict[BodyKey, WebhookBody]:
        """Each of these bodies. One that cannot be rendered is left out, so that it stops no other.

        ``first`` is done before anything is read.
        """
        made = {}
        for key, render in self.load(connection, keys, first=first).items():
            try:
                made[key] = render()
            # Whatever it is, it is this case's alone; its own attempt meets it again, and logs it.
            except Exception:  # noqa: BLE001
                _log.debug(
                    "Webhook body could not be rendered while claiming; the attempt renders it again",
                    extra={"job_id": key.job_id},
                )
        return made

    def load(
        self, connection: Connection, keys: Sequence[BodyKey], *, first: Sequence[PreparedCall] = ()
    ) -> dict[BodyKey, Callable[[], WebhookBody]]:
        """For each body, what renders it without the database: so that a long one holds no transaction.

        ``first`` is done before anything is read.
        """
        of_jobs = [key for key in keys if EVENT_TYPES[key.event_type].facts is JobEnded]
        of_batches = [key for key in keys if EVENT_TYPES[key.event_type].facts is DocumentsStored]
        if first and not of_jobs:
            run_together(connection, *first)
        jobs = load(connection, of_jobs, first) if of_jobs else {}
        batches = load_batches(connection, of_batches)
        of_sources = [key for key in keys if EVENT_TYPES[key.event_type].facts is SourceChanged]
        changes = load_source_events(connection, of_sources)
        return {
            **{key: partial(self._render, key, content) for key, content in jobs.items()},
            **{key: partial(self._render_batch, key, content) for key, content in batches.items()},
            **{key: partial(self._fitting, key, change) for key, change in changes.items()},
        }

    def _render(self, key: BodyKey, content: BodyContent) -> WebhookBody:
        completion, url = content.completion, self._public_url
        visible = visible_completion(completion, content.case, content.counts, sealed=key.sealed, public_url=url)
        total = visible.documents_total
        if is_whole_case(completion):
            total += visible.case["left_out"].get("documents", 0)
        shown = content.documents if visible.shows_documents else ()
        views = partial(self._views, shown, content.left_out)
        documents = BodyDocuments(total, documents_url(completion.process_number, url), views)
        return self._fitting(key, JobEnded(visible.end, visible.case, documents, key.reference))

    def _render_batch(self, key: BodyKey, content: BatchContent) -> WebhookBody:
        batch, ids = content.batch, [row.document_id for row in content.documents]
        url = documents_url(batch.process_number, self._public_url)
        documents = BodyDocuments(len(ids), url, partial(self._views, content.documents, content.left_out))
        facts = DocumentsStored(batch.job_id, batch.process_number, batch.made_at, ids, documents, key.reference)
        return self._fitting(key, facts)

    def _fitting(self, key: BodyKey, facts: JobEnded | DocumentsStored | SourceChanged) -> WebhookBody:
        return fitting_body(EVENT_TYPES[key.event_type], facts, form=key.form, most_bytes=self._most_bytes)

    def _views(self, rows: Sequence[Any], left_out: LeftOut) -> list[dict[str, Any]]:
        expires_at = self._clock() + timedelta(seconds=LINK_SECONDS)
        same = duplicates((row.document_id, row.state_sha256, row.state_object_key) for row in rows)
        made = [self._document(row, expires_at, same.get(row.document_id)) for row in rows]
        return [left_out.applied(view) for view in made]

    def _document(self, row: Any, expires_at: datetime, duplicate_of: str | None) -> dict[str, Any]:
        state = DocumentState.of(row)
        link = None
        if state is not None and state.status == DocumentStatus.AVAILABLE:
            link = self._links.make(
                state.object_key or object_key(row.process_number, row.document_id),
                content_disposition=_disposition(row.name, state.content_type),
                content_type=state.content_type,
            )
        return document_view(
            row,
            state,
            default_status=DocumentStatus.PENDING.value,
            link=link,
            link_expires_at=expires_at,
            duplicate_of=duplicate_of,
        )
