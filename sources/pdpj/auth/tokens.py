"""An access token, and the rules about it that need no I/O: usable until when, refused for how long, still accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sources.errors import CredentialsRefused
from sources.pdpj.auth.token_store import Credential

_MARGIN_SECONDS: Final = 15.0
_MARGIN_SHARE: Final = 0.2
_WORKS_SECONDS: Final = 20.0  # shorter than two retry tiers: a real refusal burns no document's last attempt


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its generation."""

    value: str
    generation: int

    def __repr__(self) -> str:
        return f"Token(generation={self.generation})"


class Acceptance:
    """When the source last took a token of ours."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._at: float | None = None

    def note(self) -> None:
        """The source took one just now."""
        self._at = self._seconds()

    @property
    def recent(self) -> bool:
        """Whether a 401 now is rather about the one request than about the token."""
        return self._at is not None and self._seconds() - self._at < _WORKS_SECONDS


def refusal_wait(count: int) -> float:
    """Seconds without a log-in after so many refusals in a row: 5, 30, then 5 minutes doubling up to an hour."""
    if count <= 2:
        return 5.0 if count <= 1 else 30.0
    return min(3600.0, 300.0 * 2.0 ** min(count - 3, 10))


def until_renewal(lifetime: float) -> timedelta:
    """A token is renewed a little before its end, so that none expires on its way."""
    return timedelta(seconds=lifetime - min(_MARGIN_SECONDS, _MARGIN_SHARE * lifetime))


def usable(kept: Credential, now: datetime) -> Token | None:
    """The kept token, unless there is none or its time is up."""
    if kept.access_token is None or (kept.expires_at is not None and now >= kept.expires_at):
        return None
    return Token(kept.access_token, kept.generation)


def refused_for(kept: Credential, now: datetime) -> float:
    """Seconds that nobody may log in."""
    return 0.0 if kept.refused_until is None else max(0.0, (kept.refused_until - now).total_seconds())


def raise_while_refused(kept: Credential, now: datetime) -> None:
    """Raise CredentialsRefused with the wait that is left, if there is one."""
    wait = refused_for(kept, now)
    if wait > 0:
        raise CredentialsRefused(retry_after=wait)


def unheard() -> None:
    """Nobody listens."""
