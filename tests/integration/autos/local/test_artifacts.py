"""The cache of jars, with a fetch of our own in the place of the network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from autos.local.artifacts import ArtifactError, Jar, kafka_jars, main, read_lock

BODIES = {name: f"the jar {name}".encode() * 1000 for name in ("one", "two", "three")}
JARS = tuple(Jar("org.example", name, "1.0", hashlib.sha256(body).hexdigest()) for name, body in BODIES.items())


class Repository:
    """Serves the bodies; counts what is fetched."""

    def __init__(self, bodies: dict[str, bytes] | None = None, errors: Sequence[Exception] = ()) -> None:
        self.fetched: list[str] = []
        self._bodies = bodies or BODIES
        self._errors = list(errors)
        self._mutex = threading.Lock()

    def fetch(self, jar: Jar, scratch: Path) -> Path:
        with self._mutex:
            self.fetched.append(jar.artifact)
            if self._errors:
                raise self._errors.pop()
        path = scratch / jar.file_name
        path.write_bytes(self._bodies[jar.artifact])
        return path


def test_every_jar_is_fetched_once(tmp_path: Path) -> None:
    repository = Repository()
    for _ in range(2):
        paths = kafka_jars(tmp_path, JARS, repository.fetch)
        assert [path.read_bytes() for path in paths] == list(BODIES.values())
    assert sorted(repository.fetched) == sorted(BODIES)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", *(jar.file_name for jar in JARS)}


def test_a_corrupted_jar_is_fetched_again(tmp_path: Path) -> None:
    repository = Repository()
    paths = kafka_jars(tmp_path, JARS, repository.fetch)
    paths[1].write_bytes(b"half a j")
    repository.fetched.clear()
    assert kafka_jars(tmp_path, JARS, repository.fetch)[1].read_bytes() == BODIES["two"]
    assert repository.fetched == ["two"]


def test_a_jar_that_is_not_the_locked_one_ends_the_start_with_one_line(tmp_path: Path) -> None:
    repository = Repository({**BODIES, "three": b"something else"})
    with pytest.raises(ArtifactError, match=r"^org\.example:three:1\.0 has SHA-256 .* but kafka\.lock says") as caught:
        kafka_jars(tmp_path, JARS, repository.fetch)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / JARS[2].file_name).exists()


def test_a_fetch_that_fails_in_passing_is_tried_again(tmp_path: Path) -> None:
    repository = Repository(errors=[ConnectionError("reset"), TimeoutError("slow")])
    assert len(kafka_jars(tmp_path, JARS, repository.fetch)) == len(JARS)


def test_two_starts_at_once_fetch_each_jar_once(tmp_path: Path) -> None:
    repository = Repository()
    threads = [threading.Thread(target=kafka_jars, args=(tmp_path, JARS, repository.fetch)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(repository.fetched) == sorted(BODIES)


def test_the_lock_pins_every_jar_of_kafka() -> None:
    jars = read_lock()
    assert {"kafka_2.13", "kafka-server", "kafka-clients", "scala-library"} <= {jar.artifact for jar in jars}
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {"4.4.0"}
    assert len({jar.file_name for jar in jars}) == len(jars)


def test_a_damaged_lock_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("# fine\nabc org.example:one:1.0\n")
    with pytest.raises(ArtifactError, match=r"^lock:2 "):
        read_lock(tmp_path / "lock")


def test_a_cache_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUTOS_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("cannot make the cache directory")
