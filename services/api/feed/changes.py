"""Waits for new events of clients, by client."""

from __future__ import annotations

from services.api.http.changes import Changes
from shared.db.channels import FEED


class FeedChanges(Changes):
    """The changes of feeds."""

    def __init__(self, url: str) -> None:
        super().__init__(url, FEED)
