"""The long form: ``make chaos ARGS="--rounds 3"``; the seed is printed, and AUTOS_CHAOS_SEED repeats a run."""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from pathlib import Path

from tests.chaos import storm
from tests.chaos.plan import SERVICES, full_plan
from tests.chaos.test_chaos import doctor
from tests.product import running_product


def main() -> None:
    """Rounds of chaos on one product; ends with an AssertionError for what is not right."""
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...")
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="of trouble in each round")
    parser.add_argument("--replicas", type=int, default=2, help="of each service")
    parser.add_argument("--timeout", type=float, default=400.0, help="seconds for the cases of a round")
    parser.add_argument("--keep", type=Path, help="a data directory that stays, to read its logs")
    options = parser.parse_args()
    seed = int(os.environ.get("AUTOS_CHAOS_SEED") or random.randrange(1_000_000))
    print(f"AUTOS_CHAOS_SEED={seed}", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="autos-chaos-") as temporary:
        data_dir = options.keep or Path(temporary) / "data"
        scale = [f"--scale={service}={options.replicas}" for service in SERVICES]
        with running_product(data_dir, storm.SETTINGS, *scale) as product:
            for number in range(options.rounds):
                plan = full_plan(
                    seed + number,
                    cases=options.cases,
                    documents=options.documents,
                    seconds=options.seconds,
                    replicas=options.replicas,
                )
                print(storm.run(product, plan, _say, timeout=options.timeout), flush=True)  # noqa: T201
            told = doctor(data_dir)
            print(told.stdout, flush=True)  # noqa: T201
            assert told.returncode == 0, told.stderr


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
