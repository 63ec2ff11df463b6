"""Who writes and who reads each topic: services, their consumer groups, their transactions.

One table for the AsyncAPI document, for what a broker with an authorizer must allow (ops/topic_access.py) and for what
`autos doctor` looks at. docs/architecture.md, "Shape", draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.events.topics import (
    DOCUMENT_DEAD,
    DOCUMENT_EVENTS,
    DOCUMENT_REQUESTED,
    DOCUMENT_RETRY,
    PROCESS_COMPLETED,
    PROCESS_DEAD,
    PROCESS_REQUESTED,
    PROCESS_RETRY,
    WEBHOOK_DEAD,
    WEBHOOK_EVENTS,
    WEBHOOK_RETRY,
    WEBHOOK_SUBSCRIBED,
)

SERVICES: Final = ("api", "downloader", "status", "notifier")

PUBLIC: Final = (PROCESS_COMPLETED, WEBHOOK_EVENTS, DOCUMENT_EVENTS)
"""Topics that other systems may subscribe to."""

# api writes to document.events when a client cancels, and to document.requested when an administrator has a dead letter
# sent again.
FLOW: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    PROCESS_REQUESTED: (("api", "downloader"), ("downloader",)),
    **{tier.topic: (("downloader",), ("downloader",)) for tier in PROCESS_RETRY},
    PROCESS_DEAD: (("downloader",), ()),
    DOCUMENT_REQUESTED: (("downloader", "api"), ("downloader",)),
    **{tier.topic: (("downloader",), ("downloader",)) for tier in DOCUMENT_RETRY},
    DOCUMENT_DEAD: (("downloader",), ()),
    DOCUMENT_EVENTS: (("downloader", "api"), ("status",)),
    PROCESS_COMPLETED: (("status",), ("notifier",)),
    WEBHOOK_SUBSCRIBED: (("api",), ("notifier",)),
    **{tier.topic: (("notifier",), ("notifier",)) for tier in WEBHOOK_RETRY},
    WEBHOOK_EVENTS: (("notifier",), ()),
    WEBHOOK_DEAD: (("notifier",), ()),
}
"""By topic: the services that write to it, and those that read it."""

READERS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "downloader": {
        "planner": (PROCESS_REQUESTED, *(tier.topic for tier in PROCESS_RETRY)),
        "fetcher": (DOCUMENT_REQUESTED, *(tier.topic for tier in DOCUMENT_RETRY)),
    },
    "status": {"status": (DOCUMENT_EVENTS,)},
    "notifier": {
        "notifier": (PROCESS_COMPLETED, WEBHOOK_SUBSCRIBED),
        "notifier-retry": tuple(tier.topic for tier in WEBHOOK_RETRY),
    },
}
"""By service: its consumer groups, without the prefix of the deployment, and what each reads."""

DEAD_LETTER_READER: Final = "api"
"""The service that shows dead letters to administrators: it reads the dead topics without a group."""

PLANNER_TRANSACTIONS: Final = "autos.planner"
"""What the planner's transactional ids begin with; a dot, the replica and the host's name follow."""

TRANSACTIONS: Final[Mapping[str, tuple[str, ...]]] = {"downloader": (PLANNER_TRANSACTIONS,)}
"""By service: what its transactional ids begin with."""
