"""The list of benchmarks, and the command that runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.domain.cnj import parse
from tools.bench import __main__ as command
from tools.bench import registry
from tools.bench.figures import Figure
from tools.bench.pipeline import workloads
from tools.bench.processes import own
from tools.bench.product import case_numbers
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan


@pytest.mark.parametrize("name", registry.MODULES)
def test_every_benchmark_says_what_it_measures_and_against_what(name: str) -> None:
    benchmark = registry.find(name)
    assert benchmark.name == name
    assert benchmark.measures
    assert benchmark.baseline


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError):
        registry.find("os")


def plan(quick: bool = False) -> Plan:
    return Plan(Path("nowhere"), lambda text: None, quick)


def test_the_short_form_does_less() -> None:
    assert plan().size(100, 5) == 100
    assert plan(quick=True).size(100, 5) == 5


@pytest.mark.parametrize("quick", [False, True])
def test_the_pipeline_gives_the_raw_loop_no_more_places_than_the_downloader(quick: bool) -> None:
    for workload in workloads(plan(quick)):
        allowed = min(int(value) for value in workload.settings.values())
        assert workload.at_once == allowed


def test_case_numbers_are_valid_and_never_given_twice() -> None:
    given = [*case_numbers(300), *case_numbers(300)]
    assert len(set(given)) == 600
    assert [str(parse(number)) for number in given] == given


def test_our_own_cpu_is_that_of_the_four_services() -> None:
    used = {"api": 1.0, "downloader": 2.0, "status": 4.0, "notifier": 8.0, "kafka": 16.0, "postgres": 32.0}
    assert own(used) == 15.0


def works(asked: Plan) -> list[Figure]:
    assert asked.work_dir.is_dir()
    return [Figure("rate", "documents/s", (80.0,), (100.0,))]


def fails(asked: Plan) -> list[Figure]:
    raise BenchmarkFailed("3 of 100 cases did not complete")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """``memory`` works, ``scaling`` fails; nothing is started."""
    runs = {"memory": works, "scaling": fails}
    monkeypatch.setattr(registry, "find", lambda name: Benchmark(name, "something", "something else", runs[name]))


@pytest.mark.usefixtures("scripted")
def test_a_run_prints_a_table_and_keeps_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "kept.json"
    assert command.main(["memory", "--quick", "--out", str(target)]) == 0
    assert "memory  (baseline: something else)" in capsys.readouterr().out
    (figure,) = json.loads(target.read_text())["benchmarks"]["memory"]["figures"]
    assert (figure["value"], figure["baseline"], figure["ratio"]) == (80.0, 100.0, 0.8)
    # The data of the run is gone.
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.usefixtures("scripted")
def test_a_benchmark_without_a_figure_fails_the_run_and_not_the_others(tmp_path: Path) -> None:
    target = tmp_path / "kept.json"
    assert command.main(["scaling", "memory", "--out", str(target)]) == 1
    kept = json.loads(target.read_text())["benchmarks"]
    assert kept["scaling"] == {"error": "3 of 100 cases did not complete"}
    assert kept["memory"]["figures"]


def test_an_unknown_name_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err
