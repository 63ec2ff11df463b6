"""One round: a steady load, one trouble in its middle, and the proof that nothing was lost and nothing is stuck."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import httpx

from tests.containers.cluster.faults import Cluster, NotHere
from tests.containers.cluster.load import Load, begin
from tests.containers.cluster.rate import Dip, Samples, by_second, dip, dip_below, sampling
from tests.containers.cluster.troubles import Trouble
from tests.support import wait_until

_STEADY_SECONDS: Final = 8.0
_AFTER_SECONDS: Final = 15.0
_BOTH_BUSY: Final = 2 / 3
_END_SECONDS: Final = 150.0
_QUIET_SECONDS: Final = 90.0
_WELL_SECONDS: Final = 120.0
_BELOW_HALF_SECONDS: Final = 1.0
_WHOLE_SECONDS: Final = 4.0


@dataclass(frozen=True)
class Outcome:
    """What a round came to; everything in it was right."""

    trouble: str
    target: str
    dip: Dip
    lasted: float
    """Seconds from the fault to its end."""
    ended: float
    """Seconds from there to the last webhook, the rest of the load included."""
    recovered: float
    """Seconds from there until fetching was whole again; 0: it was whole before."""
    counts: str
    promised: bool
    seconds: str
    """The requests of each second, from some before the fault on; the fault and its end are marked."""

    @property
    def too_slow(self) -> bool:
        """Whether fetching stood still for longer than docs/reliability.md says. Means nothing on a busy machine."""
        late = self.dip.below_half > _BELOW_HALF_SECONDS or self.dip.whole_after > _WHOLE_SECONDS
        return self.promised and late

    def __str__(self) -> str:
        recovered = f"whole {self.recovered:.1f} s after its end, " if self.recovered else ""
        return (
            f"{self.trouble} ({self.target or 'all'}) for {self.lasted:.0f} s: {self.dip}; "
            f"{recovered}last webhook {self.ended:.1f} s after its end; {self.counts}; doctor --deep is silent"
        )


def run(cluster: Cluster, trouble: Trouble, seed: int) -> Outcome:
    """Raises AssertionError for what is lost or stuck, NotHere where this machine cannot make the trouble."""
    seconds = _STEADY_SECONDS + trouble.seconds + _AFTER_SECONDS
    with sampling(lambda: _asked_for(cluster)) as samples:
        load = begin(cluster.deployment, seed, seconds)
        _wait_until_steady(samples)
        target, began, ended = _put_through(cluster, trouble)
        load.wait_for_end(_END_SECONDS)
        finished = time.monotonic()
    found = dip(samples.taken, began, ended)
    afterwards = dip_below(samples.taken, found.before, ended, _end_of_load(samples, load, ended))
    outcome = Outcome(
        trouble.name,
        target,
        found,
        lasted=ended - began,
        ended=finished - ended,
        recovered=afterwards.whole_after,
        counts=load.check(),
        promised=trouble.promised,
        seconds=_seconds(samples, began, ended, finished),
    )
    cluster.deployment.wait_until_healthy()
    wait_until(cluster.is_in_sync, _WELL_SECONDS, "a standby that commits wait for")
    wait_until(lambda: _doctor_is_silent(cluster), _QUIET_SECONDS, "a silent doctor --deep")
    return outcome


def _put_through(cluster: Cluster, trouble: Trouble) -> tuple[str, float, float]:
    """What it was done to, when it began and when it ended (monotonic seconds). What could not be begun is undone."""
    began = time.monotonic()
    try:
        target = trouble.begin(cluster)
    except NotHere:
        with contextlib.suppress(NotHere):
            trouble.end(cluster, "")
        raise
    wait_until(lambda: time.monotonic() - began >= trouble.seconds, trouble.seconds + 5)
    trouble.end(cluster, target)
    return target, began, time.monotonic()


def _asked_for(cluster: Cluster) -> int:
    return cluster.deployment.product.simulator.metrics(by_case=False).by_route.get("portal.document", 0)


def _wait_until_steady(samples: Samples) -> None:
    """Wait until documents have been asked for during some seconds."""

    def seconds() -> float:
        taken = list(samples.taken)
        moving = [sample.at for sample in taken if taken and sample.count > taken[0].count]
        return moving[-1] - moving[0] if moving else 0.0

    wait_until(lambda: seconds() >= _STEADY_SECONDS, what="a steady load")


def _end_of_load(samples: Samples, load: Load, least: float) -> float:
    """Until when both downloaders had enough to ask for: two thirds of the documents, and at least the trouble's end.

    The cases are not spread evenly over the partitions: one of the two is done before the other.
    """
    documents = sum(case.documents for case in load.cases)
    first = samples.taken[0].count
    enough = (sample.at for sample in samples.taken if sample.count - first >= documents * _BOTH_BUSY)
    return max(least, next(enough, samples.taken[-1].at))


def _seconds(samples: Samples, began: float, ended: float, finished: float) -> str:
    moments = (began - _STEADY_SECONDS / 2, began, ended, finished)
    parts = (by_second(samples.taken, since, until) for since, until in pairwise(moments))
    return " | ".join(" ".join(map(str, part)) for part in parts)


def _doctor_is_silent(cluster: Cluster) -> bool:
    try:
        said = cluster.deployment.compose("run", "--rm", "ops", "doctor", "--deep", "--settle", "0")
    except (AssertionError, httpx.HTTPError):
        return False
    return "do not match" not in said
