"""The check that public events keep what they had at the last release."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.schemas.asyncapi import models
from tools.schemas.growth import last_release, lost, public_events, shrunk
from tools.schemas.write import DIRECTORY, schema

RELEASED = DIRECTORY / "released"
NOW = {model.__name__: schema(model) for model in models()}
Change = Callable[[dict[str, Any]], Any]


def test_the_events_of_now_have_all_that_they_had() -> None:
    assert shrunk(RELEASED, NOW) == []


def test_every_public_event_of_the_release_is_held() -> None:
    release = last_release(RELEASED)
    assert release is not None
    assert {path.stem for path in release.glob("*.json")} <= public_events()
    assert "ProcessCompleted" in {path.stem for path in release.glob("*.json")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one["properties"].pop("job_id"), "value.job_id is gone"),
        (lambda one: one["properties"]["job_id"].update(type="integer"), "value.job_id is not of the same type"),
        (lambda one: one["properties"]["job_id"].pop("format"), "value.job_id is not of the same type"),
        (lambda one: one["required"].remove("status"), "value.status is no longer always there"),
        (lambda one: one["$defs"]["JobOutcome"]["enum"].remove("partial"), "value.status no longer has 'partial'"),
        (lambda one: one["properties"]["error_code"]["anyOf"].pop(), "value.error_code is not of the same type"),
    ],
)
def test_what_a_reader_would_miss_is_named(change: Change, words: str) -> None:
    after = copy.deepcopy(NOW["ProcessCompleted"])
    change(after)
    assert words in list(lost(NOW["ProcessCompleted"], after))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["properties"].update(more={"type": "string"}),
        lambda one: one["$defs"]["JobOutcome"]["enum"].append("split"),
        lambda one: one["properties"]["job_id"].update(title="Another", description="words", default="x"),
        lambda one: one["properties"]["error_code"]["anyOf"].reverse(),
        lambda one: one["required"].append("error_code"),
    ],
)
def test_what_only_adds_is_allowed(change: Change) -> None:
    after = copy.deepcopy(NOW["ProcessCompleted"])
    change(after)
    assert list(lost(NOW["ProcessCompleted"], after)) == []


def test_an_event_may_go_only_with_a_new_major_version(tmp_path: Path) -> None:
    release = tmp_path / "1.10.0"
    (tmp_path / "1.9.0").mkdir()
    release.mkdir()
    (release / "ProcessCompleted.json").write_text(json.dumps(NOW["ProcessCompleted"]))
    assert last_release(tmp_path) == release
    without = {name: one for name, one in NOW.items() if name != "ProcessCompleted"}
    assert shrunk(tmp_path, without) == ["ProcessCompleted: the event of 1.10.0 is gone"]
    changed = {**NOW["ProcessCompleted"], "$id": "urn:autos:events:ProcessCompleted:2", "properties": {}}
    assert shrunk(tmp_path, {**NOW, "ProcessCompleted": changed}) == []


def test_without_a_release_the_check_says_so(tmp_path: Path) -> None:
    assert shrunk(tmp_path / "none", NOW) == [f"{tmp_path / 'none'}: no release"]
