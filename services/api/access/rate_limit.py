"""How often a client may cause work (reads of the source, jobs, webhooks): GCRA, in PostgreSQL, for all replicas.

The generic cell rate algorithm keeps one moment for each client and limit, the theoretical arrival time: the time at
which the client would have used up exactly what it was given. The database's clock is used, which all replicas share.
Headers: draft-ietf-httpapi-ratelimit-headers-10 (structured fields ``RateLimit-Policy`` and ``RateLimit``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Interval, ScalarSelect, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert

from services.api.http.problems import Problem
from shared.db.catalog import rate_limits
from shared.settings import Rate

BULK: Final = "bulk"
"""The name of the limit on what causes reads of the source, jobs and webhooks."""


@dataclass(frozen=True)
class Limit:
    """``burst`` at once, and ``rate`` in the long run."""

    name: str
    rate: Rate
    burst: int

    @property
    def interval(self) -> timedelta:
        """Between two events at exactly the rate: whole microseconds, which a timestamp can hold, so nothing drifts."""
        return timedelta(microseconds=max(1, round(self.rate.interval * 1_000_000)))

    @property
    def window(self) -> timedelta:
        """Until a burst that was used up is whole again."""
        return self.interval * self.burst

    def policy(self) -> str:
        """The value of ``RateLimit-Policy``: quota units (q) for each window in seconds (w)."""
        return f'"{self.name}";q={self.burst};w={math.ceil(self.window.total_seconds())}'


@dataclass(frozen=True)
class Allowance:
    """What a client may still do. Times are seconds from now."""

    allowed: bool
    tat: datetime
    remaining: int
    retry_after: float
    """Until the same request would be allowed; 0 when it is."""
    full_after: float
    """Until the whole burst is there again."""


class RateLimited(Problem):
    """Too many reads of the source, jobs or webhooks caused; ``Retry-After`` says how many seconds to wait."""

    status, code, title = 429, "rate_limited", "Too many requests"
    allowance: Allowance | None = None
    """How the limit stands for the client that is refused."""


def decide(limit: Limit, tat: datetime | None, now: datetime, cost: int = 1) -> Allowance:
    """Whether ``cost`` events may happen now, and the new theoretical arrival time. ``cost`` 0 only looks."""
    start = now if tat is None else max(tat, now)
    after = start + limit.interval * cost
    over = after - now - limit.window
    allowed = over <= timedelta(0)
    kept = after if allowed else start
    owed = kept - now
    return Allowance(
        allowed=allowed,
        tat=kept,
        remaining=max(0, (limit.window - owed) // limit.interval),
        retry_after=max(0.0, over.total_seconds()),
        full_after=owed.total_seconds(),
    )


def headers(limit: Limit, allowance: Allowance) -> dict[str, str]:
    """The headers that say how a client's limit stands; ``Retry-After`` only when it is refused."""
    fields = {
        "RateLimit-Policy": limit.policy(),
        "RateLimit": f'"{limit.name}";r={allowance.remaining};t={math.ceil(allowance.full_after)}',
    }
    if not allowance.allowed:
        fields["Retry-After"] = str(max(1, math.ceil(allowance.retry_after)))
    return fields


def refusal(limit: Limit, allowance: Allowance) -> RateLimited:
    """The problem for a client that has used its allowance up."""
    problem = RateLimited(
        f"the limit is {limit.rate} with a burst of {limit.burst}; "
        "asking for cases that are stored or being downloaded costs nothing",
        headers=headers(limit, allowance),
    )
    problem.allowance = allowance
    return problem


def tightest(allowances: Iterable[Allowance]) -> Allowance | None:
    """How a limit stands after several requests: as the refusal that lasts longest, else as the one that left least."""
    known = list(allowances)
    refused = [one for one in known if not one.allowed]
    if refused:
        return max(refused, key=lambda one: one.retry_after)
    return min(known, key=lambda one: one.remaining, default=None)


def tat_of(client_id: Any, name: Any) -> ScalarSelect[Any]:
    """The theoretical arrival time of a client and limit, as part of a statement; NULL when there is none."""
    mine = select(rate_limits.c.tat).where(rate_limits.c.client_id == client_id, rate_limits.c.name == name)
    return mine.scalar_subquery()


_LOOK: Final = select(tat_of(bindparam("client"), bindparam("limit")).label("tat"), func.clock_timestamp().label("now"))
# What decide() says, as one statement. What it commits need not outlive a crash of the server, so nobody waits for the
# disk while a client's row is held. How it stands is told of the moment after: clock.now is of before the wait for the
# row, and by it one request less would seem to be left.
_TAKE: Final = text("""
UPDATE catalog.rate_limits AS mine SET tat = greatest(mine.tat, clock.now) + :cost
  FROM (SELECT clock_timestamp() AS now, set_config('synchronous_commit', 'off', true)) AS clock
 WHERE mine.client_id = :client AND mine.name = :limit AND greatest(mine.tat, clock.now) + :cost - clock.now <= :window
RETURNING mine.tat, clock_timestamp() AS now
""").bindparams(bindparam("cost", type_=Interval()), bindparam("window", type_=Interval()))
_BEGIN: Final = (
    insert(rate_limits)
    .values(client_id=bindparam("client"), name=bindparam("limit"), tat=func.clock_timestamp())
    .on_conflict_do_nothing()
)


def take(connection: Connection, limit: Limit, client_id: str, cost: int = 1) -> Allowance:
    """Take ``cost`` of a client's allowance, for all replicas, or nothing where that is not ``allowed``.

    ``connection`` has no transaction: a hundred requests of one client at once do not wait for one another's commits.
    Commits by itself; nothing gives it back.
    """
    mine = {"client": client_id, "limit": limit.name}
    taking = {**mine, "cost": limit.interval * cost, "window": limit.window}
    row = connection.execute(_TAKE, taking).one_or_none()
    if row is None:
        connection.execute(_BEGIN, mine)
        row = connection.execute(_TAKE, taking).one_or_none()
    if row is not None:
        return decide(limit, row.tat, row.now, cost=0)
    seen = connection.execute(_LOOK, mine).one()
    return replace(decide(limit, seen.tat, seen.now, cost), allowed=False)


def spend(connection: Connection, limit: Limit, client_id: str, cost: int = 1) -> Allowance:
    """As :func:`take`. Raises RateLimited where it is not allowed."""
    allowance = take(connection, limit, client_id, cost)
    if not allowance.allowed:
        raise refusal(limit, allowance)
    return allowance


def take_each(connection: Connection, limit: Limit, client_id: str, count: int) -> list[Allowance]:
    """As ``count`` times :func:`take`, in few statements also where not all is allowed; how the limit stood after each.

    What is refused one of them is refused the rest of the same moment.
    """
    taken: list[Allowance] = []
    wanted = count
    while wanted:
        last = take(connection, limit, client_id, wanted)
        if last.allowed:
            taken += _each_of(limit, last, wanted)
            wanted = min(1, count - len(taken))
        elif wanted > 1:
            wanted = max(1, min(last.remaining, wanted - 1))
        else:
            taken += [last] * (count - len(taken))
            break
    return taken


def _each_of(limit: Limit, last: Allowance, count: int) -> list[Allowance]:
    """How the limit stood after each of ``count`` that were taken together and left it as ``last``."""
    return [
        replace(
            last,
            tat=last.tat - limit.interval * later,
            remaining=last.remaining + later,
            full_after=last.full_after - limit.interval.total_seconds() * later,
        )
        for later in range(count - 1, -1, -1)
    ]
