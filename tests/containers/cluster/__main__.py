"""The long form: ``make chaos-cluster``; the seed is printed, and AUTOS_CHAOS_SEED repeats a run."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.containers.cluster import rounds
from tests.containers.cluster.deployment import running_cluster
from tests.containers.cluster.faults import Cluster, NotHere
from tests.containers.cluster.troubles import full_list
from tests.containers.deployment import ROOT
from tests.containers.engine import running_engine


def main() -> int:
    """Each trouble once; the status says whether every round was right."""
    parser = argparse.ArgumentParser(prog="make chaos-cluster ARGS=...")
    parser.add_argument("--only", action="append", default=[], help="rounds whose name holds this text (or another)")
    parser.add_argument("--times", type=int, default=1, help="how often (each time on other brokers and replicas)")
    options = parser.parse_args()
    seed = int(os.environ.get("AUTOS_CHAOS_SEED") or random.randrange(1_000_000))
    _say(f"AUTOS_CHAOS_SEED={seed}")
    wrong = 0
    with running_engine() as engine, tempfile.TemporaryDirectory(prefix="autos-cluster-") as scratch:
        stand_ins = {"AUTOS_STAND_INS": os.environ.get("AUTOS_STAND_INS", "yes")}
        subprocess.run(["deploy/build-images"], cwd=ROOT, env={**os.environ, **stand_ins, **engine}, check=True)
        with running_cluster(engine, Path(scratch)) as deployment:
            every = [one for time in range(options.times) for one in full_list(seed + time)]
            chosen = [one for one in every if any(text in one.name for text in options.only or [""])]
            for number, trouble in enumerate(chosen):
                try:
                    outcome = rounds.run(Cluster(deployment), trouble, seed + number)
                    wrong += outcome.too_slow
                    slow = "; TOO SLOW" if outcome.too_slow else ""
                    _say(f"{outcome}; load {os.getloadavg()[0]:.0f}{slow}\n    each second: {outcome.seconds}")
                except NotHere as reason:
                    _say(f"{trouble.name}: skipped, this machine cannot do it ({reason})")
                except AssertionError as error:
                    wrong += 1
                    _say(f"{trouble.name}: WRONG: {error}\n{deployment.logs()}")
    return 1 if wrong else 0


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
