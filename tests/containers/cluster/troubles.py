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
        _simple("kill -9 of a broker", _named(broker()), Cluster.kill, Cluster.start, 15.0, promised=True),
        _kill_controller(15.0),
        _simple("a broker pauses", _named(broker()), Cluster.pause, Cluster.unpause, 15.0),
        _simple("the controllers' leader pauses", Cluster.controller, Cluster.pause, Cluster.unpause, 15.0),
        _simple("a broker off the network", _named(broker()), Cluster.cut, Cluster.heal, 15.0),
        _deaf_broker(broker(), 15.0),
        _kill_together("two brokers of three are killed", draw.sample(BROKERS, 2), 12.0),
        _kill_together("every broker is killed", BROKERS, 12.0),
        _kill_primary(),
        _simple("the standby is killed", _standby, Cluster.kill, Cluster.start, 15.0),
        _simple("the primary pauses", Cluster.primary, Cluster.pause, Cluster.unpause, 10.0),
        _simple("the primary off the network", Cluster.primary, Cluster.cut, Cluster.heal, 15.0),
        _simple("the standby off the network", _standby, Cluster.cut, Cluster.heal, 15.0),
        _simple("the primary does not hear the services", Cluster.primary, _deaf_to_replicas, Cluster.hear, 12.0),
        *(
            _simple(f"{service} off the network", _named(replica(service)), Cluster.cut, Cluster.heal, 15.0)
            for service in SERVICES
        ),
        _simple("a downloader hears no broker", _named(replica("downloader")), _deaf_to_brokers, Cluster.hear, 12.0),
        _simple("a broker does not hear the services", _named(broker()), _deaf_to_replicas, Cluster.hear, 12.0),
        _simple("5 % of packets between services and brokers lost", _named(""), _lossy, _all_hear, 15.0),
        _simple("200 ms between services and brokers", _named(""), _slow, _fast, 15.0),
    ]


def _named(name: str) -> Callable[[Cluster], str]:
    return lambda _: name


def _standby(cluster: Cluster) -> str:
    return cluster.standby_of(cluster.primary())


def _simple(
    name: str,
    target: Callable[[Cluster], str],
    begin: Callable[[Cluster, str], None],
    end: Callable[[Cluster, str], None],
    seconds: float,
    *,
    promised: bool = False,
) -> Trouble:
    """A fault of one container, which is looked up when the fault begins."""

    def begun(cluster: Cluster) -> str:
        found = target(cluster)
        begin(cluster, found)
        return found

    return Trouble(name, begun, end, seconds, promised)


def _kill_controller(seconds: float) -> Trouble:
    return _simple(
        "kill -9 of the controllers' leader", Cluster.controller, Cluster.kill, Cluster.start, seconds, promised=True
    )


def _deaf_broker(name: str, seconds: float) -> Trouble:
    others = [broker for broker in BROKERS if broker != name]

    def begin(cluster: Cluster) -> str:
        cluster.deafen(name, others)
        return name

    return Trouble("a broker does not hear the others", begin, Cluster.hear, seconds)


def _kill_together(name: str, brokers: Sequence[str], seconds: float) -> Trouble:
    """Nothing can be written until enough of them are back."""

    def begin(cluster: Cluster) -> str:
        for broker in brokers:
            cluster.kill(broker)
        return ", ".join(brokers)

    def end(cluster: Cluster, _: str) -> None:
        for broker in brokers:
            cluster.start(broker)

    return Trouble(name, begin, end, seconds)


def _kill_primary() -> Trouble:
    """The standby is promoted at once; the old primary comes back as its standby."""

    def begin(cluster: Cluster) -> str:
        primary = cluster.primary()
        cluster.kill(primary)
        cluster.promote(cluster.standby_of(primary))
        return primary

    return Trouble("kill -9 of the primary, the standby promoted", begin, Cluster.start, 10.0)


def _deaf_to_brokers(cluster: Cluster, name: str) -> None:
    cluster.deafen(name, BROKERS)


def _deaf_to_replicas(cluster: Cluster, name: str) -> None:
    cluster.deafen(name, _replicas())


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
        cluster.delay(name, BROKERS, _DELAY_MS)


def _fast(cluster: Cluster, _: str) -> None:
    for name in _replicas():
        cluster.no_delay(name)
