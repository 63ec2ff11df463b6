"""Checks a webhook's URL when a client gives it: its form, literal addresses, and what its name resolves to."""

from __future__ import annotations

import asyncio
import socket
from typing import Annotated

from fastapi import Depends

from services.api.access.caller import Caller
from services.api.http.problems import FieldError, InvalidWebhookUrl
from services.api.http.provided import provided
from shared.domain.api_keys import Scope
from shared.http.guard import CheckedUrl, GuardPolicy, Resolver, WebhookUrlRefused, check_url, resolve


class WebhookUrls:
    """The rules at the request. The notifier checks again when it dials: a name may resolve to something else by then.

    A resolver that is away, or slower than ``resolve_seconds``, refuses nothing: the dial will show.
    """

    def __init__(self, policy: GuardPolicy, resolver: Resolver, *, resolve_seconds: float = 3.0) -> None:
        self._policy = policy
        self._resolver = resolver
        self._resolve_seconds = resolve_seconds

    async def of_caller(self, caller: Caller, url: str | None, field: str = "webhook_url") -> str | None:
        """The URL that a caller gives for its webhook, checked; None when it gives none.

        Raises InsufficientScope when its key may not have webhooks, and InvalidWebhookUrl.
        """
        if url is None:
            return None
        caller.require(Scope.WEBHOOKS, "a webhook needs a key with the scope 'webhooks'")
        return (await self.check(url, field)).url

    async def check(self, url: str, field: str = "webhook_url") -> CheckedUrl:
        """The URL, checked, with up to ``resolve_seconds`` for its name. Nothing is dialled.

        Raises InvalidWebhookUrl, whose error code is the rule that was broken (docs/reference/webhooks.md, "Which URLs
        are taken").
        """
        try:
            checked = check_url(url, self._policy)
        except WebhookUrlRefused as refused:
            raise _problem(refused, field) from None
        try:
            async with asyncio.timeout(self._resolve_seconds):
                await resolve(checked.host, checked.port, self._policy, self._resolver)
        except TimeoutError:
            return checked
        except WebhookUrlRefused as refused:
            if _is_passing(refused):
                return checked
            raise _problem(refused, field) from None
        return checked


Urls = Annotated[WebhookUrls, Depends(provided(WebhookUrls))]


def _problem(refused: WebhookUrlRefused, field: str) -> InvalidWebhookUrl:
    return InvalidWebhookUrl(refused.detail, errors=[FieldError(field, refused.code, refused.detail)])


def _is_passing(refused: WebhookUrlRefused) -> bool:
    """Whether the resolver was away, and did not say that there is no such name."""
    cause = refused.__cause__
    return isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN
