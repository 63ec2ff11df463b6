"""What a cluster is put through, one after the other: a function of the seed. Pure but for the verbs it names."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.containers.cluster.faults import BROKERS, Cluster

SERVICES: Final = ("api", "downloader", "status", "notifier")
_LOSS: Final = 0.05
_DELAY_MS: Final = 200


@dataclass(frozen=True)
class Trouble:
    """One fault and its end. ``begin`` answers what it was done to, which ``end`` is given."""

    name: str
    begin: Callable[[Cluster], str]
    end: Callable[[Cluster, str], None]
    seconds: float
    """How long it lasts."""
    promised: bool = False
    """Whether fetching is to go on: below half for a second at most, and whole within four (docs/reliability.md)."""


def short_list() -> list[Trouble]:
    """The two that the promise is about: the controllers' leader is killed, and the primary."""
    return [_kill_controller(8.0), _kill_primary()]


def full_list(seed: int) -> list[Trouble]:
    """Each kind once, on the broker or replica that the seed names."""
    draw = random.Random(seed)

    def broker() -> str:
        return draw.choice(BROKERS)

    def replica(service: str) -> str:
        return f"{service}/{draw.randint(1, 2)}"

    return [
        _simple("kill -9 of a broker", broker(), Cluster.kill, Cluster.start, 15.0, promised=True),
        _kill_controller(15.0),
        _simple("a broker pauses", broker(), Cluster.pause, Cluster.unpause, 15.0),
        _pause_controller(15.0),
        _simple("a broker off the network", broker(), Cluster.cut, Cluster.heal, 15.0),
        _deaf_broker(broker(), 15.0),
        _kill_primary(),
        _simple("the standby is killed", "postgres", _kill_standby, _start_standby, 15.0),
        _simple("the primary pauses", "postgres", _pause_primary, _unpause_primary, 10.0),
        _simple("the primary off the network", "postgres", _cut_primary, _heal_primary, 15.0),
        *(
            _simple(f"{service} off the network", replica(service), Cluster.cut, Cluster.heal, 15.0)
            for service in SERVICES
        ),
        _simple("a downloader hears no broker", replica("downloader"), _deaf_to_brokers, _hears, 12.0),
        _simple("5 % of packets between services and brokers lost", "", _lossy, _all_hear, 15.0),
        _simple("200 ms between services and brokers", "", _slow, _fast, 15.0),
    ]


def _simple(
    name: str,
    target: str,
    begin: Callable[[Cluster, str], object],
    end: Callable[[Cluster, str], None],
    seconds: float,
    *,
    promised: bool = False,
) -> Trouble:
    def begun(cluster: Cluster) -> str:
        found = begin(cluster, target)
        return found if isinstance(found, str) else target

    return Trouble(name, begun, end, seconds, promised)


def _kill_controller(seconds: float) -> Trouble:
    def begin(cluster: Cluster) -> str:
        leader = cluster.controller()
        cluster.kill(leader)
        return leader

    return Trouble("kill -9 of the controllers' leader", begin, Cluster.start, seconds, promised=True)


def _pause_controller(seconds: float) -> Trouble:
    def begin(cluster: Cluster) -> str:
        leader = cluster.controller()
        cluster.pause(leader)
        return leader

    return Trouble("the controllers' leader pauses", begin, Cluster.unpause, seconds)


def _deaf_broker(name: str, seconds: float) -> Trouble:
    others = [broker for broker in BROKERS if broker != name]

    def begin(cluster: Cluster) -> str:
        cluster.deafen(name, others)
        return name

    return Trouble("a broker does not hear the others", begin, Cluster.hear, seconds)


def _kill_primary() -> Trouble:
    """The standby is promoted at once; the old primary comes back as its standby."""

    def begin(cluster: Cluster) -> str:
        primary = cluster.primary()
        cluster.kill(primary)
        cluster.promote(cluster.standby_of(primary))
        return primary

    return Trouble("kill -9 of the primary, the standby promoted", begin, Cluster.start, 10.0)


def _kill_standby(cluster: Cluster, _: str) -> str:
    standby = cluster.standby_of(cluster.primary())
    cluster.kill(standby)
    return standby


def _start_standby(cluster: Cluster, name: str) -> None:
    cluster.start(name)


def _pause_primary(cluster: Cluster, _: str) -> str:
    primary = cluster.primary()
    cluster.pause(primary)
    return primary


def _unpause_primary(cluster: Cluster, name: str) -> None:
    cluster.unpause(name)


def _cut_primary(cluster: Cluster, _: str) -> str:
    primary = cluster.primary()
    cluster.cut(primary)
    return primary


def _heal_primary(cluster: Cluster, name: str) -> None:
    cluster.heal(name)


def _deaf_to_brokers(cluster: Cluster, name: str) -> None:
    cluster.deafen(name, BROKERS)


def _hears(cluster: Cluster, name: str) -> None:
    cluster.hear(name)


def _replicas() -> Sequence[str]:
    return [f"{service}/{number}" for service in SERVICES for number in (1, 2)]


def _lossy(cluster: Cluster, _: str) -> None:
    for name in BROKERS:
        cluster.lose(name, _replicas(), _LOSS)
    for name in _replicas():
        cluster.lose(name, BROKERS, _LOSS)


def _all_hear(cluster: Cluster, _: str) -> None:
    for name in (*BROKERS, *_replicas()):
        cluster.hear(name)


def _slow(cluster: Cluster, _: str) -> None:
    for name in _replicas():
        cluster.delay(name, _DELAY_MS)


def _fast(cluster: Cluster, _: str) -> None:
    for name in _replicas():
        cluster.no_delay(name)
