"""How many deliveries of one origin, or of one client, are taken, and which endpoints wait for room. Pure."""

from __future__ import annotations

from collections.abc import Iterable


class Crowd:
    """Counts by name, each up to ``limit``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: dict[str, int] = {}
        # In the order in which they came (a dict keeps it).
        self._waiting: dict[str, dict[str, None]] = {}

    def full(self, name: str) -> bool:
        return self._taken.get(name, 0) >= self._limit

    def crowded(self, name: str) -> bool:
        """Whether half of the room is taken."""
        return 2 * self._taken.get(name, 0) >= self._limit

    def wait(self, name: str, endpoint_id: str) -> None:
        """Remember an endpoint until there is room for its name."""
        self._waiting.setdefault(name, {})[endpoint_id] = None

    def take(self, name: str) -> None:
        self._taken[name] = self._taken.get(name, 0) + 1

    def release(self, name: str) -> Iterable[str]:
        """One less; the endpoints that waited for it."""
        left = self._taken[name] - 1
        if left:
            self._taken[name] = left
        else:
            del self._taken[name]
        return self._waiting.pop(name, ())
