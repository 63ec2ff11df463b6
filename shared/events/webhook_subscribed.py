"""Topic ``webhook.subscribed``: what clients ask of the notifier: to be called when a job ends, or called again."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator

from shared.events.envelope import Event, MaskedNumber, Uuid, Word, deterministic_id

_URL_LENGTH: Final = 2_048


def _plain(url: str) -> str:
    # Not cut: another address would be called. What may be called is decided at the dial (shared/http/guard.py).
    if len(url) > _URL_LENGTH or any(character < " " or character == "\x7f" for character in url):
        raise ValueError("not a URL: too long, or with control characters")
    return url


class WebhookSubscribed(Event):
    """One URL of one client for one job."""

    TYPE: ClassVar[str] = "autos.webhook.subscribed"

    subscription_id: Uuid
    job_id: Uuid
    process_number: MaskedNumber
    client_id: Word
    url: Annotated[str, AfterValidator(_plain)]
    sealed: bool = False
    """Whether it was asked for with a key of the scope ``sealed``: what is sealed counts in its webhook."""
    reference: Word | None = None
    """The client's own reference, given with the URL; one that comes later for the same subscription replaces it."""
    payload: Word | None = None
    """``full`` or ``thin``, as the request asked for; None: as its endpoint takes it."""

    def key(self) -> str:
        return self.job_id

    def subject(self) -> str:
        return self.subscription_id


class RedeliveryRequested(Event):
    """A client wants a delivery sent again; it starts a new round of attempts."""

    TYPE: ClassVar[str] = "autos.webhook.redelivery_requested"

    delivery_id: Uuid
    job_id: Uuid
    """Of a delivery about no case: the event's id."""
    process_number: MaskedNumber | None = None
    client_id: Word

    def key(self) -> str:
        return self.job_id

    def subject(self) -> str:
        return self.delivery_id


class EndpointEnableRequested(Event):
    """A client wants a disabled endpoint called again; what was kept for it is sent."""

    TYPE: ClassVar[str] = "autos.webhook.endpoint_enable_requested"

    endpoint_id: Uuid
    client_id: Word

    def key(self) -> str:
        return self.endpoint_id


class EndpointChanged(Event):
    """A client registered an endpoint, changed it or removed it: its row in the catalog says how it is now."""

    TYPE: ClassVar[str] = "autos.webhook.endpoint_changed"

    endpoint_id: Uuid
    client_id: Word

    def key(self) -> str:
        return self.endpoint_id


class CaseAsked(Event):
    """A client with registered endpoints asked for the first time for a case whose job has ended already."""

    TYPE: ClassVar[str] = "autos.webhook.case_asked"

    job_id: Uuid
    process_number: MaskedNumber
    client_id: Word

    def key(self) -> str:
        return self.job_id


def subscription_id(job_id: str, client_id: str, url: str) -> str:
    """The id of a subscription: the same job, client and URL are the same subscription."""
    return deterministic_id("subscription", job_id, client_id, url)
