"""Sends a signed test event, once and at once, to a URL or to a registered endpoint."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection, Row

from services.api.access import rate_limit as ratelimit
from services.api.endpoints import repository
from services.api.endpoints.real_body import RealBodies, read_parts
from services.api.endpoints.rules import InvalidEndpoint, SealingKeyMissing
from services.api.http.parameters import case_number
from services.api.http.problems import EndpointNotFound, FieldError
from services.api.http.provided import provided
from services.api.http.waits import waiting_for_others
from services.api.processes.view.case_parts import CaseParts
from services.api.webhooks.service import Secrets, secrets_of
from services.api.webhooks.urls import WebhookUrls
from shared.clock import Clock
from shared.db.engine import Database
from shared.domain.secrecy import Viewer
from shared.http.dial import CallResult, WebhookCaller
from shared.http.guard import CheckedUrl
from shared.secrets.owners import endpoint_secret
from shared.webhooks.body_form import BodyForm, form_now
from shared.webhooks.facts import TestSent
from shared.webhooks.headers import HeaderKeys
from shared.webhooks.registry import EVENT_TYPES
from shared.webhooks.sealing import NotOpened
from shared.webhooks.signing import signature_headers

_MESSAGE: Final = "This is a test of your webhook."


@dataclass(frozen=True)
class TestTarget:
    """Where a test goes: the one or the other. ``process_number`` names the case whose body is measured."""

    __test__ = False

    url: str | None = None
    endpoint_id: str | None = None
    process_number: str | None = None


@dataclass(frozen=True)
class _Receiver:
    url: str
    secrets: Secrets
    headers: Sequence[tuple[str, str]]
    form: BodyForm
    """Of the bodies that it gets: as it asked for them, or smaller since it refused larger ones."""


@dataclass(frozen=True)
class TestKeys:
    """``signing`` keys (``whsk_``) sign beside the secrets, as they sign deliveries; ``kept`` open what is stored."""

    __test__ = False

    signing: tuple[str, ...]
    kept: HeaderKeys


class TestSender:
    """Test events of one client at a time: a real, signed request, made by the api and recorded nowhere."""

    __test__ = False

    def __init__(
        self,
        database: Database,
        clock: Clock,
        urls: WebhookUrls,
        caller: WebhookCaller,
        limit: ratelimit.Limit,
        keys: TestKeys,
        bodies: RealBodies,
    ) -> None:
        self._database = database
        self._clock = clock
        self._urls = urls
        self._caller = caller
        self._limit = limit
        self._keys = keys
        self._bodies = bodies

    async def send(self, viewer: Viewer, target: TestTarget) -> tuple[dict[str, Any], dict[str, str]]:
        """Send one test event now, and wait for its answer: the TestResult, and the headers of the client's limit.

        A receiver that fails is a result. Nothing is retried, and the endpoint's health does not change.

        Raises:
            InvalidEndpoint: neither or both of URL and endpoint are given.
            InvalidWebhookUrl, EndpointNotFound, SealingKeyMissing: there is nowhere to send it, or no way.
            InvalidProcessNumberProblem, ProcessUnknown: the case whose body is to be measured.
            SecretUnreadable: its secret or its headers do not open.
            RateLimited: a test costs as a request that starts a job does.
        """
        number = case_number(target.process_number, "body.process_number") if target.process_number else None
        checked = await self._urls.check(target.url, "body.url") if target.url is not None else None
        parts = await self._database.snapshot(lambda connection: read_parts(connection, viewer, number))
        receiver = await self._database.run(lambda connection: self._receiver(connection, viewer, target, checked))
        allowance = await self._database.autocommit(
            lambda connection: ratelimit.spend(connection, self._limit, viewer.client_id)
        )
        result = await self._send(receiver, parts)
        return result, ratelimit.headers(self._limit, allowance)

    async def _send(self, receiver: _Receiver, parts: CaseParts | None) -> dict[str, Any]:
        now = self._clock()
        webhook_id = str(uuid.uuid4())
        body = EVENT_TYPES["webhook.test"].body(TestSent(now, _MESSAGE), BodyForm.FULL)
        headers = signature_headers(
            receiver.secrets.opened(self._keys.kept.secrets, now),
            webhook_id,
            now,
            body,
            1,
            private_keys=self._keys.signing,
        )
        with waiting_for_others():
            result = await self._caller.post(receiver.url, [*headers.items(), *receiver.headers], body)
        real = await self._bodies.measured(parts, receiver.form)
        return {**_result_view(webhook_id, result), "body_bytes": len(body), "real_body": real}

    def _receiver(
        self, connection: Connection, viewer: Viewer, target: TestTarget, checked: CheckedUrl | None
    ) -> _Receiver:
        if (target.url is None) == (target.endpoint_id is None):
            detail = "give either url or endpoint_id"
            raise InvalidEndpoint(detail, errors=[FieldError("body", "url_or_endpoint_id", detail)])
        if checked is not None:
            known = repository.find_by_url(connection, viewer.client_id, checked.without_query)
            return _Receiver(checked.url, secrets_of(connection, viewer.client_id), (), self._form(known))
        assert target.endpoint_id is not None
        row = repository.find_registered(connection, viewer.client_id, _uuid(target.endpoint_id))
        if row is None:
            raise EndpointNotFound
        secrets = Secrets(
            row.secret, row.previous_secret, row.previous_secret_until, about=endpoint_secret(row.endpoint_id)
        )
        return _Receiver(row.url, secrets, self._headers(row), max(self._form(row), BodyForm.of_payload(row.payload)))

    def _form(self, health: Row[Any] | None) -> BodyForm:
        """The form that an endpoint is left with by its answers; full before its first delivery.

        An endpoint that answered 413 gets smaller bodies for thirty days (docs/reference/webhooks.md, "Size").
        """
        if health is None or health.body_form is None:
            return BodyForm.FULL
        return form_now(health.body_form, health.body_form_at, self._clock())

    def _headers(self, row: Row[Any]) -> Sequence[tuple[str, str]]:
        try:
            return self._keys.kept.open(row.sealed_headers, row.endpoint_id)
        except NotOpened:
            raise SealingKeyMissing(
                "the endpoint's headers were sealed with a key that is gone: set them anew"
            ) from None


TestSends = Annotated[TestSender, Depends(provided(TestSender))]


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise EndpointNotFound from None


def _result_view(webhook_id: str, result: CallResult) -> dict[str, Any]:
    return {
        "webhook_id": webhook_id,
        "succeeded": result.succeeded,
        "status_code": result.status_code,
        "duration_ms": round(result.duration * 1000),
        "address": result.address,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "response_excerpt": result.excerpt,
    }
