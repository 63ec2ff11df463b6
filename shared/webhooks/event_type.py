"""A type of event that webhooks and the feed carry: its name, the schema of its data, what renders it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel

from shared.clock import rfc3339
from shared.webhooks.body_form import BodyForm
from shared.webhooks.facts import Facts

F = TypeVar("F", bound=Facts)


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class EventType(Generic[F]):
    """One type. Each has a module of its own in ``shared/webhooks/event_types`` (how to add one: CONTRIBUTING.md).

    ``at`` and ``render`` are called for every attempt and must not depend on when that is.
    """

    name: str
    """``type`` of the body, such as ``process.completed``."""
    summary: str
    """One sentence for people."""
    data: type[BaseModel]
    """The schema of ``data``."""
    facts: type[F]
    """What it is made of, which says what causes it too."""
    at: Callable[[F], datetime]
    """``timestamp`` of the body: when it happened, the same in every attempt."""
    render: Callable[[F, BodyForm], Mapping[str, Any]]
    """``data`` of the body in a form. Pure: the same facts make the same data, but for links."""
    on_request: bool = True
    """Whether an endpoint gets it only when it asks for it by name."""
    subscribable: bool = True
    """Whether an endpoint may ask for it."""
    of_case: bool = True
    """Whether it tells of a case. A feed has the others for who asks for them by name alone."""
    applies: Callable[[F], bool] = _always
    """Whether it tells of these facts: a type may be about some of them alone."""

    def body(self, facts: F, form: BodyForm) -> bytes:
        """The JSON of a body in this form, whatever its size."""
        timestamp = rfc3339(self.at(facts))
        return orjson.dumps({"type": self.name, "timestamp": timestamp, "data": self.render(facts, form)})


class WebhookBody(NamedTuple):
    """A body and its form."""

    content: bytes
    form: BodyForm


def fitting_body(kind: EventType[F], facts: F, *, form: BodyForm, most_bytes: int) -> WebhookBody:
    """The body in ``form`` or, where that takes more than ``most_bytes``, in a smaller one.

    The smallest form is returned whatever its size; each type keeps it below BARE_BYTES.
    """
    for smaller in (one for one in BodyForm if one >= form):
        content = kind.body(facts, smaller)
        if len(content) <= most_bytes:
            break
    return WebhookBody(content, smaller)
