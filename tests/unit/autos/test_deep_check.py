"""``autos doctor --deep`` in words: nothing wrong is 0, anything that does not match is 1 and named."""

from __future__ import annotations

from collections import Counter

import pytest
from typer.testing import CliRunner

from autos import doctor
from autos.main import app
from ops.invariants.findings import Findings, Mismatch, Rule


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Findings:
    findings = Findings(counted=Counter(jobs=3), running=["1 jobs: 1000145-91.2023.8.26.0597 (processing)"])
    monkeypatch.setattr(doctor, "look", lambda **_: findings)
    return findings


def test_what_is_merely_in_progress_is_told_and_is_no_mismatch(found: Findings) -> None:
    told = CliRunner().invoke(app, ["doctor", "--deep"])
    assert told.exit_code == 0
    assert "3 jobs" in told.output
    assert "in progress: 1 jobs: 1000145-91.2023.8.26.0597 (processing)" in told.output
    assert "catalog, progress, delivery, S3 and topics match" in told.output


def test_each_mismatch_is_named_and_the_exit_status_says_so(found: Findings) -> None:
    found.mismatches += [
        Mismatch(Rule.OBJECT_MISSING, f"k{number}", f"S3 has no object k{number}") for number in (1, 2)
    ]
    told = CliRunner().invoke(app, ["doctor", "--deep", "--hashes"])
    assert told.exit_code == 1
    assert "BAD object.missing: S3 has no object k1" in told.output
    assert "BAD object.missing: S3 has no object k2" in told.output
    assert "2 do not match" in told.output
    assert "topics match" not in told.output


def test_a_flood_of_mismatches_is_cut_and_counted(found: Findings) -> None:
    found.mismatches += [Mismatch(Rule.JOB_LOST, str(number), "lost") for number in range(70)]
    told = CliRunner().invoke(app, ["doctor", "--deep"])
    assert told.output.count("BAD job.lost") == 50
    assert "BAD and 20 more" in told.output
    assert "70 do not match" in told.output
