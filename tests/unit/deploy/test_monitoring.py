"""deploy/monitoring: rules that Prometheus takes and that name what exists, each with a test and a runbook."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from services.api.metrics import ApiMetrics
from services.status.metrics import StatusMetrics
from tools.monitoring import dashboards, rules, schema
from tools.monitoring.__main__ import DIRECTORY, main, problems
from tools.monitoring.alert import RUNBOOKS
from tools.reference.metrics import by_metric, families, series

ROOT: Final = Path(__file__).parents[3]
PROMTOOL: Final = shutil.which("promtool")
needs_promtool: Final = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool here (Debian: apt-get install prometheus)"
)
METRICS: Final = {name: metric for name, (metric, _) in by_metric(families()).items()}
SERIES: Final = {one: metric for metric in METRICS.values() for one in series(metric)}
PARTS: Final = ("**Means**", "**Look at**", "**Do**", "**Rehearse**")


def promtool(*arguments: str) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=150, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def committed() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((DIRECTORY / "rules.yml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in committed() if "alert" in rule]


def expressions() -> list[str]:
    panels = [panel for one in dashboards.DASHBOARDS for panel in dashboards.dashboard(one)["panels"]]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [rule["expr"] for rule in committed()] + shown


def test_what_is_committed_is_what_the_code_says(tmp_path: Path) -> None:
    assert problems(DIRECTORY) == []
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "rules.yml").write_text("groups: []\n")
    assert any("rules.yml is out of date" in line for line in problems(tmp_path))
    assert main(["--nonsense"], tmp_path) == 2


@needs_promtool
def test_prometheus_takes_the_files_and_the_rules_pass_their_tests(tmp_path: Path) -> None:
    promtool("check", "config", str(DIRECTORY / "prometheus.yml"))
    promtool("test", "rules", str(DIRECTORY / "rules.test.yml"))
    rehearsal = tmp_path / "rehearsal.yml"
    assert main(["--rehearsal", str(rehearsal)]) == 0
    promtool("check", "rules", str(rehearsal))


@needs_promtool
def test_prometheus_understands_every_expression_of_a_dashboard(tmp_path: Path) -> None:
    made = [
        {"record": f"panel:{at}", "expr": expression.replace("$__rate_interval", "1m")}
        for at, expression in enumerate(expressions())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    promtool("check", "rules", str(path))


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_names_metrics_labels_and_values_that_exist(expression: str) -> None:
    for name, selector in re.findall(r"\b(autos_\w+)(?:\{([^}]*)\})?", expression):
        assert name in SERIES, name
        labels = {label.name: label for label in SERIES[name].labels}
        for label, _, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', selector or ""):
            assert label in labels or label == "le", (name, label)
            known = labels[label].values if label in labels else ()
            if known and not labels[label].bound:
                assert set(value.split("|")) <= set(known), (name, label, value)
    for name in re.findall(r'__name__=~"([^"]+)"', expression):
        assert set(name.split("|")) <= set(SERIES)


def test_buckets_that_objectives_count_exist() -> None:
    registry = CollectorRegistry()
    StatusMetrics(registry)
    ApiMetrics(registry)
    text = generate_latest(registry).decode()
    counted = [found for one in expressions() for found in re.findall(r'(\w+_bucket)\{[^}]*le="([^"]+)"', one)]
    assert len(set(counted)) == 2
    for name, bound in counted:
        assert re.search(rf'^{name}{{.*le="{re.escape(bound)}".*}} ', text, re.M), (name, bound)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    page = (ROOT / RUNBOOKS).read_text()
    sections = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=\n## |\Z)", page, re.M | re.S))
    assert set(sections) == set(rules.alert_names())
    assert len(rules.alert_names()) > 20
    for rule in alerts():
        assert rule["annotations"]["runbook"] == f"{RUNBOOKS}#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
    for name, text in sections.items():
        assert [part for part in PARTS if text.count(part) != 1] == [], name
        for metric in re.findall(r"\b(autos_\w+)", text):
            assert metric in METRICS or metric in SERIES, (name, metric)


def test_every_alert_is_tested_firing_and_quiet() -> None:
    tests = yaml.safe_load((DIRECTORY / "rules.test.yml").read_text())["tests"]
    assert len({test["name"] for test in tests}) == len(tests)
    fired: set[str] = set()
    for test in tests:
        for each in test.get("promql_expr_test", []):
            fired |= {
                name for sample in each["exp_samples"] for name in re.findall(r'alertname="(\w+)"', sample["labels"])
            }
        fired |= {each["alertname"] for each in test.get("alert_rule_test", []) if each["exp_alerts"]}
    assert fired == set(rules.alert_names())


def test_a_rehearsal_has_the_same_alerts_at_once() -> None:
    rehearsed = [rule for group in rules.groups(rehearsal=True) for rule in group["rules"] if "alert" in rule]
    assert {rule["alert"] for rule in rehearsed} == set(rules.alert_names())
    assert {rule["for"] for rule in rehearsed} == {"0s"}
    assert not re.search(r"\[\d+[mhd]\]", " ".join(rule["expr"] for rule in rehearsed))


def test_every_metric_is_shown_once_and_links_lead_from_one_dashboard_to_the_others() -> None:
    shown: list[str] = []
    for one in dashboards.DASHBOARDS:
        made = dashboards.dashboard(one)
        assert schema.faults(made) == []
        assert made["links"][0]["tags"] == made["tags"]
        titles = [panel["title"] for panel in made["panels"]]
        shown += [f"autos_{title}" for title in titles if f"autos_{title}" in METRICS]
        assert json.loads((DIRECTORY / "dashboards" / f"{one.name}.json").read_text()) == made
    assert sorted(shown) == sorted(METRICS)


def test_the_schema_refuses_what_grafana_could_not_show() -> None:
    right = dashboards.dashboard(dashboards.DASHBOARDS[0])

    def faults(change: str) -> list[str]:
        made = copy.deepcopy(right)
        panels = made["panels"]
        match change:
            case "typing error":
                panels[0]["gridpos"] = panels[0].pop("gridPos")
            case "no expression":
                panels[0]["targets"][0]["expr"] = ""
            case "one place":
                panels[1]["gridPos"] = dict(panels[0]["gridPos"])
            case "one id":
                panels[1]["id"] = panels[0]["id"]
            case "too wide":
                panels[2]["gridPos"]["w"] = 20
        return schema.faults(made)

    for change in ("typing error", "no expression", "one place", "one id", "too wide"):
        assert faults(change), change
