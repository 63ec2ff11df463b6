"""Which archive of classes a broker is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from autos.local.kafka_classes import archive_of, options_for


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable of Java's name, and an empty cache."""
    monkeypatch.setenv("AUTOS_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    executable = tmp_path / "java"
    executable.write_bytes(b"17")
    return executable


def test_without_an_archive_java_is_given_nothing(java: Path) -> None:
    assert options_for(java) == ()


def test_the_archive_of_this_java_is_used(java: Path) -> None:
    archive_of(java).touch()
    assert options_for(java) == (f"-XX:SharedArchiveFile={archive_of(java)}",)


def test_another_java_in_the_same_place_has_another_archive(java: Path) -> None:
    archive_of(java).touch()
    java.write_bytes(b"17.0.16")
    assert options_for(java) == ()


def test_a_link_to_java_has_its_archive(java: Path) -> None:
    link = java.with_name("link")
    link.symlink_to(java)
    assert archive_of(link) == archive_of(java)
