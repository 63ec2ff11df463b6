"""Apache Kafka's jars: pinned by SHA-256 in kafka.lock, fetched through jgo's pure-Python resolver, cached per user.

The lock lists Maven coordinates and digests; nothing else is fetched and no POM is read at run time.
``python -m autos.local.artifacts --update-lock`` resolves the roots anew and writes the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

KAFKA_VERSION: Final = "4.4.0"
# The logging binding is not among the dependencies that Kafka publishes; its version follows log4j-core's.
ROOTS: Final = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5",
)
LOCK_FILE: Final = Path(__file__).with_name("kafka.lock")
_ATTEMPTS: Final = 3
_PARALLEL: Final = 8

Fetch = Callable[["Jar", Path], Path]
"""Fetches one jar below the given empty directory and returns its path there."""


class ArtifactError(Exception):
    """A jar could not be fetched, or is not the one that the lock names. The message is one line."""


@dataclass(frozen=True)
class Jar:
    """One locked artifact; ``sha256`` in lower-case hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """Its name in the cache. The group is part of it: artifact names are unique only within a group."""
        return f"{self.group}.{self.artifact}-{self.version}.jar"


def read_lock(path: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The locked jars. Raises ArtifactError for a line that is not ``sha256 group:artifact:version``."""
    jars = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        digest, _, coordinate = line.partition(" ")
        parts = coordinate.strip().split(":")
        if len(parts) != 3 or len(digest) != 64:
            raise ArtifactError(f"{path.name}:{number} is not a SHA-256 and a Maven coordinate")
        jars.append(Jar(parts[0], parts[1], parts[2], digest))
    return tuple(jars)


def cache_dir() -> Path:
    """AUTOS_CACHE_DIR, else ``autos`` below XDG_CACHE_HOME or ``~/.cache``."""
    override = os.environ.get("AUTOS_CACHE_DIR")
    if override:
        return Path(override)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autos"


def kafka_jars(
    directory: Path | None = None, jars: Sequence[Jar] | None = None, fetch: Fetch | None = None
) -> tuple[Path, ...]:
    """The paths of all locked jars, each verified; fetches what is missing or damaged.

    Several processes may call this at once. Raises ArtifactError.
    """
    locked = read_lock() if jars is None else tuple(jars)
    target = directory or _default_target()
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot make the cache directory {target}: {error.strerror}") from None
    if any(not _is_good(target, jar) for jar in locked):
        with _lock(target / ".lock"):
            # Asked again under the lock: another process may have fetched them while we waited.
            wanted = [jar for jar in locked if not _is_good(target, jar)]
            if wanted:
                _fetch_all(target, wanted, fetch or _fetch_with_jgo)
    return tuple(target / jar.file_name for jar in locked)


def missing_jars(directory: Path | None = None) -> tuple[Jar, ...]:
    """The locked jars that the next start would have to fetch."""
    target = directory or _default_target()
    return tuple(jar for jar in read_lock() if not _is_good(target, jar))


def _default_target() -> Path:
    return cache_dir() / f"kafka-{KAFKA_VERSION}"


def _fetch_all(target: Path, jars: Sequence[Jar], fetch: Fetch) -> None:
    def one(jar: Jar) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            # A directory of its own for each attempt, on the same file system, so that os.replace is atomic.
            scratch = Path(tempfile.mkdtemp(prefix=".fetch-", dir=target))
            try:
                path = fetch(jar, scratch)
                found = _sha256(path)
                if found != jar.sha256:
                    raise ArtifactError(f"{jar.coordinate} has SHA-256 {found}, but {LOCK_FILE.name} says {jar.sha256}")
                os.replace(path, target / jar.file_name)
                return
            except (OSError, RuntimeError) as error:  # requests' errors are OSErrors, jgo's are RuntimeErrors
                if attempt == _ATTEMPTS:
                    raise ArtifactError(f"cannot fetch {jar.coordinate}: {type(error).__name__}: {error}") from error
                time.sleep(0.5 * attempt)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="jars") as pool:
        futures = [pool.submit(one, jar) for jar in jars]
        try:
            for future in futures:
                future.result()
        except ArtifactError:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _fetch_with_jgo(jar: Jar, scratch: Path) -> Path:
    context = _context(scratch)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    path = context.resolver.download(artifact)
    if path is None:
        raise ArtifactError(f"cannot fetch {jar.coordinate}: it is not in the repository")
    return Path(path)


def _context(repo_cache: Path) -> Any:
    from jgo.maven import MavenContext

    # jgo warns about SHA-1 files; our own SHA-256 decides.
    logging.getLogger("jgo").setLevel(logging.ERROR)
    mirror = os.environ.get("AUTOS_MAVEN_MIRROR")
    return MavenContext(
        repo_cache=repo_cache,
        local_repos=[],
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        timeout=30,
    )


def _is_good(directory: Path, jar: Jar) -> bool:
    try:
        return _sha256(directory / jar.file_name) == jar.sha256
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def update_lock(path: Path = LOCK_FILE) -> int:
    """Resolve the roots, fetch everything once, write the lock; the number of jars."""
    with tempfile.TemporaryDirectory() as scratch:
        context = _context(Path(scratch))
        found: dict[tuple[str, str], Any] = {}
        for root in ROOTS:
            # One at a time: together, the versions that one root manages would displace the other's.
            inputs, transitive = context.resolver.resolve([context.create_dependency(root)])
            for dependency in [*inputs, *transitive]:
                if dependency.type == "jar" and dependency.scope not in {"test", "provided"}:
                    found.setdefault((dependency.groupId, dependency.artifactId), dependency)
        lines = [f"# Apache Kafka {KAFKA_VERSION}. Written by `python -m autos.local.artifacts --update-lock`."]
        for group, artifact in sorted(found):
            dependency = found[group, artifact]
            digest = _sha256(Path(dependency.artifact.resolve()))
            lines.append(f"{digest} {group}:{artifact}:{dependency.version}")
    path.write_text("\n".join(lines) + "\n")
    return len(found)


def main(arguments: Sequence[str]) -> int:
    """``--update-lock`` writes the lock; without it the cache is filled and checked."""
    try:
        if list(arguments) == ["--update-lock"]:
            print(f"{LOCK_FILE.name}: {update_lock()} jars")
        elif not arguments:
            print(f"{len(kafka_jars())} jars in {cache_dir()}")
        else:
            sys.stderr.write("usage: python -m autos.local.artifacts [--update-lock]\n")
            return 2
    except ArtifactError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
