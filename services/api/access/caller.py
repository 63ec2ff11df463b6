"""The client that calls, and what its key may do."""

from __future__ import annotations

from dataclasses import dataclass

from services.api.http.problems import InsufficientScope
from shared.domain.api_keys import Scope
from shared.domain.secrecy import Viewer


@dataclass(frozen=True)
class Caller:
    """The client that asks, and the scopes of its key."""

    client_id: str
    key_id: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Whether the key has ``scope``; ``admin`` has them all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def viewer(self) -> Viewer:
        """Who sees cases by this key."""
        return Viewer(self.client_id, self.may(Scope.SEALED))

    def require(self, scope: Scope, detail: str = "") -> None:
        """Raise InsufficientScope unless the key has ``scope``."""
        if not self.may(scope):
            raise InsufficientScope(detail or f"this needs a key with the scope {scope.value!r}")
