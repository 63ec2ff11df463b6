"""``autos demo``: one case of 12 documents from the request to its signed webhook, on a stack of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import typer

from autos import product
from autos.context import Target, call, data_dir, fail
from autos.following import follow

_START_SECONDS = 180.0
_CASE_SECONDS = 90.0
_WEBHOOK_SECONDS = 30.0


class Steps:
    """Says what happens and how long it took."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()

    def say(self, text: str) -> None:
        now = self._clock()
        typer.echo(f"[{now - self._began:5.1f} s] {text} ({now - self._last:.1f} s)")
        self._last = now

    @property
    def seconds(self) -> float:
        return self._clock() - self._began


def demo() -> None:
    """Deliver one case by webhook: start everything, show it, stop everything.

    Example: autos demo
    """
    # What shows the case needs, before minutes of downloads and a start; main() says what is not installed.
    import autos.demo_case
    import autos.local.pdpj.control
    import autos.local.stack  # noqa: F401

    root = data_dir()
    root.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="demo-", dir=root))
    steps = Steps()
    try:
        # SIGTERM ends it as Ctrl-C does: the stack is stopped, the data removed.
        signal.signal(signal.SIGTERM, _interrupt)
        _fetch_kafka(steps)
        with _stack(place) as stack:
            steps.say("Kafka, PostgreSQL, S3, the PDPJ simulator, a receiver and the four services are up")
            _deliver(stack, steps)
        shutil.rmtree(place, ignore_errors=True)
        steps.say("everything is stopped, its data removed")
        command = "autos" if product.in_wheel() else "make"
        typer.echo(
            f"Done in {steps.seconds:.1f} s. Next: `{command} up` keeps a stack running; README.md goes on from there."
        )
    except httpx.HTTPError as error:
        raise fail(f"the demo failed: {type(error).__name__}: {error}") from error
    except KeyboardInterrupt:
        raise fail("interrupted; everything is stopped", status=130) from None
    finally:
        _remove_all_but_logs(place)


def _remove_all_but_logs(place: Path) -> None:
    """After a failure the logs stay, since its message names them; after a success nothing is here any more."""
    for entry in place.iterdir() if place.exists() else ():
        if entry.name != "logs":
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _fetch_kafka(steps: Steps) -> None:
    from autos.local.artifacts import ArtifactError, kafka_jars, missing_jars

    missing = len(missing_jars())
    if not missing:
        return
    typer.echo(f"fetching Apache Kafka, once: {missing} jars, 43 MB in all (about 15 s)")
    try:
        kafka_jars()
    except ArtifactError as error:
        raise fail(str(error)) from error
    steps.say("Apache Kafka is in the cache, every jar checked against its SHA-256")


@contextmanager
def _stack(place: Path) -> Iterator[dict[str, Any]]:
    from autos.local.server import Command, start

    log = place / "logs" / "supervisor.log"
    # Empty counts as unset: the demo shows the simulator's case, whatever PDPJ this machine is set up for.
    environ = {"AUTOS_PDPJ_BASE_URL": "", "AUTOS_PDPJ_API": "portal", "AUTOS_API_PORT": ""}
    arguments = (sys.executable, "-m", "autos.local.stack", "--data-dir", str(place))
    supervisor = start(Command(arguments, log, env=environ, death_signal=signal.SIGTERM))
    stack_file = place / "stack.json"
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not stack_file.exists():
            if supervisor.poll() is not None:
                raise fail(f"the stack did not start: {log.read_text(errors='replace').strip()}")
            if time.monotonic() > deadline:
                raise fail(f"the stack was not up within {_START_SECONDS:g} s")
            time.sleep(0.05)
        yield json.loads(stack_file.read_text())
    finally:
        supervisor.send_signal(signal.SIGTERM)
        try:
            supervisor.wait(90)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()


def _port_of(stack: dict[str, Any], name: str) -> int:
    words: list[str] = stack["processes"][name]["command"].split()
    return int(words[words.index("--port") + 1])


def _deliver(stack: dict[str, Any], steps: Steps) -> None:
    from autos import demo_case
    from autos.local.pdpj.control import SimulatorControl

    receiver = f"http://127.0.0.1:{_port_of(stack, 'receiver')}"
    with SimulatorControl(f"http://127.0.0.1:{_port_of(stack, 'pdpj')}") as source:
        expected = demo_case.put(source)
    with Target(stack["api_url"], stack["api_key"]).client() as client:
        path = f"/processes/{demo_case.NUMBER}"
        view = call(client, "GET", path, params={"webhook_url": f"{receiver}/hooks/demo"}).json()
        steps.say(f"GET {path}?webhook_url=… answered: {_summary(view)}")
        final = follow(client, demo_case.NUMBER, deadline=time.monotonic() + _CASE_SECONDS)
    steps.say(f"the case is {final['status']}: {final['completed_documents']} of {final['total_documents']} documents")
    if final["status"] == "partial":
        typer.echo("          (as meant: the source refuses one of them, and a job says what it could not get)")
    delivery = _await_webhook(receiver)
    steps.say("the webhook arrived")
    body = delivery["body"]
    documents: list[dict[str, Any]] = body["data"]["documents"]
    _show(demo_case.NUMBER, documents)
    for line in demo_case.explained(documents):
        typer.echo(line)
    if not delivery["verified"]:
        raise fail("the webhook's signature is not valid")
    if faults := demo_case.faults(documents, expected):
        raise fail(f"the delivered documents are not the source's: {'; '.join(faults)}")
    _fetch_one(next(document for document in documents if document["status"] == "available"))
    typer.echo(f"  signature  verified (Standard Webhooks), webhook-id {delivery['webhook_id']}")
    typer.echo(f"  attempt    {delivery['attempt']}, event {body['type']}, status {body['data']['status']}")


def _summary(view: dict[str, Any]) -> str:
    job = view["job"] or {}
    return f"{len(view['documents'])} documents, job {job.get('status', 'none')}"


def _await_webhook(receiver: str) -> dict[str, Any]:
    deadline = time.monotonic() + _WEBHOOK_SECONDS
    with httpx.Client(base_url=receiver, timeout=5) as client:
        while time.monotonic() < deadline:
            received: list[dict[str, Any]] = client.get("/_received", params={"path": "/hooks/demo"}).json()
            if received:
                return received[0]
            time.sleep(0.05)
    raise fail(f"no webhook within {_WEBHOOK_SECONDS:g} s")


def _show(number: str, documents: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Documents of {number}", box=SIMPLE, pad_edge=False)
    table.add_column("#", justify="right", min_width=2)
    table.add_column("document", min_width=16, max_width=20, no_wrap=True, overflow="ellipsis")
    table.add_column("type", min_width=27, no_wrap=True)
    table.add_column("size", justify="right", min_width=7)
    table.add_column("status", min_width=9)
    for document in documents:
        table.add_row(
            str(document["position"]),
            document["name"],
            document["content_type"] or "",
            f"{document['size']:,}" if document["size"] is not None else "",
            document["status"],
        )
    Console().print(table)


def _fetch_one(document: dict[str, Any]) -> None:
    answer = httpx.get(document["download_url"], timeout=15)
    if answer.status_code != 200:
        raise fail(f"the presigned link of {document['id']} answers {answer.status_code}")
    found = hashlib.sha256(answer.content).hexdigest()
    if found != document["sha256"]:
        raise fail(f"{document['id']} has SHA-256 {found}, the webhook says {document['sha256']}")
    typer.echo(f"  fetched    {document['id']} by its presigned link: {len(answer.content):,} bytes, SHA-256 {found}")
