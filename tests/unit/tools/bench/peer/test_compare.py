"""What is computed from the runs of both sides, and when there is no peer to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bench.peer.compare import Outcome, compared
from tools.bench.peer.servers import missing


def outcome(seconds: float, cpu: dict[str, float]) -> Outcome:
    return Outcome(100, seconds, cpu, (0.1, 0.2, 0.3), (0.01, 0.02))


def test_the_cpu_is_of_every_process_but_the_simulators() -> None:
    assert outcome(1.0, {"api": 0.1, "kafka": 0.2, "pdpj": 5.0, "receiver": 5.0}).cpu_ms == pytest.approx(3.0)


def test_figures_stand_beside_the_peers() -> None:
    ours, theirs = outcome(1.0, {"api": 0.2}), outcome(2.0, {"web": 0.4})
    figures = {figure.name: figure for figure in compared("load", [ours, ours], [theirs, theirs])}
    assert figures["load: rate"].ratio == 2.0
    assert figures["load: CPU"].ratio == 0.5
    assert figures["load: last document → webhook, p50"].value == 200
    assert figures["load: CPU of product's api"].value == 2.0
    assert figures["load: CPU of peer's web"].value == 4.0


def test_without_its_packages_there_is_a_word_and_no_figure(tmp_path: Path) -> None:
    assert "not installed" in missing(tmp_path)
