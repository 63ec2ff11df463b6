"""What goes wrong, when and to whom: a function of the seed, so that a run can be repeated. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from autos.local.pdpj.control import Failure, FailureKind
from shared.domain import cnj

SERVICES: Final = ("api", "downloader", "status", "notifier")
SERVERS: Final = ("kafka", "postgres", "s3")
QUICK_FAULTS: Final = (
    FailureKind.TIMEOUT_504,
    FailureKind.UNAVAILABLE_503,
    FailureKind.RESET,
    FailureKind.MALFORMED_LENGTHS,
    FailureKind.MALFORMED_STATUS,
)
SLOW_FAULTS: Final = (FailureKind.HANG, FailureKind.DRIP)
_BAD: Final = 3
"""One case in so many is bad."""
_OUTAGES: Final = (
    FailureKind.UNAVAILABLE_503,
    FailureKind.BAD_GATEWAY_502,
    FailureKind.FIREWALL_403,
    FailureKind.RESET,
)


@dataclass(frozen=True)
class Case:
    """A case that a client asks for ``at`` seconds after the start."""

    number: str
    documents: int
    at: float
    failures: tuple[Failure, ...]
    bad: FailureKind | None = None
    """Each of its documents fails so, always: the case ends failed, and the others do not notice."""


@dataclass(frozen=True)
class Kill:
    """kill -9 of a service or a server."""

    at: float
    process: str


@dataclass(frozen=True)
class Restart:
    """An orderly stop of a service or a server; the supervisor starts it again."""

    at: float
    process: str


@dataclass(frozen=True)
class Freeze:
    """The simulator or the receiver stands still (SIGSTOP): connections open, no answers."""

    at: float
    process: str
    seconds: float


@dataclass(frozen=True)
class SourceOutage:
    """Every read of the source fails so."""

    at: float
    kind: FailureKind
    seconds: float


@dataclass(frozen=True)
class RateStorm:
    """The source allows so many requests a second; the others are answered with 429."""

    at: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class ReceiverOutage:
    """Every webhook is answered with this status."""

    at: float
    status: int
    seconds: float


Trouble = Kill | Restart | Freeze | SourceOutage | RateStorm | ReceiverOutage


@dataclass(frozen=True)
class Plan:
    """One round: the cases, and what goes wrong meanwhile, in order."""

    seed: int
    cases: tuple[Case, ...]
    troubles: tuple[Trouble, ...]


def short_plan(seed: int) -> Plan:
    """8 cases of 10 documents, 2 of them bad; each service is killed once, one server too, the source is away once."""
    draw = random.Random(seed)
    troubles: list[Trouble] = [Kill(draw.uniform(0.5, 7), service) for service in SERVICES]
    troubles.append(Kill(draw.uniform(1, 6), draw.choice(SERVERS)))
    troubles.append(SourceOutage(draw.uniform(0.5, 5), draw.choice(_OUTAGES), 1.5))
    return Plan(seed, _cases(draw, 8, 10, 4, QUICK_FAULTS), _in_order(troubles))


def full_plan(seed: int, *, cases: int, documents: int, seconds: float, replicas: int) -> Plan:
    """Every process is killed twice at random times, the servers are restarted too, source and receiver fail.

    A third of the cases is bad, each in its way.
    """
    draw = random.Random(seed)

    def moment() -> float:
        return draw.uniform(1, seconds)

    services = [
        service if number == 1 else f"{service}.{number}" for service in SERVICES for number in range(1, replicas + 1)
    ]
    troubles: list[Trouble] = [Kill(moment(), service) for service in services for _ in range(2)]
    troubles += [Restart(moment(), draw.choice(services))]
    troubles += [Kill(moment(), server) for server in SERVERS]
    troubles += [Restart(moment(), server) for server in SERVERS]
    troubles += [SourceOutage(moment(), draw.choice(_OUTAGES), draw.uniform(2, 6)) for _ in range(2)]
    troubles += [RateStorm(moment(), draw.uniform(5, 30), draw.uniform(2, 5)) for _ in range(2)]
    troubles += [ReceiverOutage(moment(), draw.choice((500, 503, 302, 404)), draw.uniform(2, 6)) for _ in range(2)]
    troubles += [Freeze(moment(), process, draw.uniform(2, 6)) for process in ("pdpj", "receiver")]
    faults = QUICK_FAULTS + SLOW_FAULTS
    return Plan(seed, _cases(draw, cases, documents, seconds * 0.8, faults), _in_order(troubles))


def _cases(
    draw: random.Random, count: int, documents: int, seconds: float, faults: tuple[FailureKind, ...]
) -> tuple[Case, ...]:
    first = draw.randrange(1_000_000, 8_000_000)
    cases = []
    for index in range(count):
        number = cnj.make(first + index, 2024, 8, 26, draw.randrange(1, 10_000))
        at = draw.uniform(0, seconds)
        # Each fault in its turn, from a random one on.
        bad = faults[(first + index // _BAD) % len(faults)] if index % _BAD == _BAD - 1 else None
        failures = _failures(draw, documents) if bad is None else (Failure(kind=bad),)
        cases.append(Case(number, documents, at, failures, bad))
    return tuple(cases)


def _failures(draw: random.Random, documents: int) -> tuple[Failure, ...]:
    """Some documents fail once or twice, each in its way, and heal."""
    chosen = draw.sample(range(documents), min(4, documents))
    kinds = (
        Failure(kind=FailureKind.SHORT_BODY, document=chosen[0], times=draw.randint(1, 2)),
        Failure(kind=FailureKind.ERROR_500, document=chosen[1 % len(chosen)], times=draw.randint(1, 2)),
        Failure(kind=FailureKind.RESET, document=chosen[2 % len(chosen)], times=1, after_bytes=100),
        Failure(kind=FailureKind.RATE_LIMIT, document=chosen[3 % len(chosen)], times=1, retry_after=1),
    )
    return tuple(draw.sample(kinds, draw.randint(1, len(kinds))))


def _in_order(troubles: list[Trouble]) -> tuple[Trouble, ...]:
    return tuple(sorted(troubles, key=lambda trouble: trouble.at))
