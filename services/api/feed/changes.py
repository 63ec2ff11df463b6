"""Waits for new events of clients."""

from __future__ import annotations

from services.api.processes.follow.changes import CaseChanges
from shared.db.channels import FEED


class FeedChanges(CaseChanges):
    """The same for the channel ``autos_feed``: by client, not by case."""

    def __init__(self, url: str) -> None:
        super().__init__(url, FEED)
