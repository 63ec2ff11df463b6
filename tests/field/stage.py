"""Plays the field cases against one running product and notes, for each, what is not as it should be."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from shared.domain.cnj import parse
from tests.embedded import running
from tests.field.expecting import (
    at_path,
    differences,
    document_differences,
    is_met,
    job_differences,
    rule_differences,
)
from tests.field.player import Player, playing

CASES: Final = Path(__file__).parent / "cases"
BYSTANDER: Final = "bystander"

_SETTINGS: Final = {
    "AUTOS_DOWNLOAD_RETRY_DELAYS": "1,2,3",
    "AUTOS_WEBHOOK_RETRY_DELAYS": "1,2",
    "AUTOS_RATE_LIMIT_BURST": "1000",
    "AUTOS_PDPJ_ACCESS_TOKEN": "field",
}

_TOGETHER: Final = 4
"""How many times its limits a case may take that is played beside all the others."""


def expected(name: str) -> dict[str, Any]:
    """What a case wants."""
    loaded: dict[str, Any] = json.loads((CASES / name / "expect.json").read_text())
    return loaded


def names_of(api: str) -> list[str]:
    """The cases of one of the two interfaces."""
    folders = sorted(path.name for path in CASES.iterdir())
    return [name for name in folders if expected(name)["api"] == api]


@dataclass(frozen=True)
class _Exchange:
    """One case of a folder, and where to ask for it."""

    name: str
    number: str
    source: Player
    receiver: str
    allowance: int
    """How many times its limits it may take."""


class Stage:
    """A product that reads its cases from the player. Use :func:`set_up`."""

    def __init__(self, client: httpx.Client, stack: Mapping[str, Any], player: Player, url: str) -> None:
        self._client = client
        self._stack = stack
        self._player = player
        self._url = url
        self._bystanders = iter((CASES / BYSTANDER / "number.txt").read_text().split())
        self._undisturbed = 0.0
        self._lock = threading.Lock()
        self.findings: dict[str, list[str]] = {}
        """By case: what was not as wanted."""

    def play(self, names: list[str]) -> None:
        """All cases at once, then those that disturb others."""
        quiet = [name for name in names if not expected(name).get("alone")]
        loud = [name for name in names if expected(name).get("alone")]
        for together in (quiet, loud):
            if together == loud and loud:
                self._undisturbed = self._bystand()[0]
            with ThreadPoolExecutor(max(1, len(together))) as threads:
                found = {name: threads.submit(self._play, name) for name in together}
            self.findings |= {name: _result(future) for name, future in found.items()}

    def _play(self, name: str) -> list[str]:
        wanted = expected(name)
        number = (CASES / name / "number.txt").read_text().split()[0]
        if name == BYSTANDER:
            number = self._next_bystander()
        allowance = 1 if wanted.get("alone") else _TOGETHER
        exchange = _Exchange(name, parse(number), self._player, f"{self._url}/_webhooks/{name}", allowance)
        with ThreadPoolExecutor(8) as threads:
            bystander = wanted.get("bystander", {})
            beside = [threads.submit(self._bystand, at) for at in bystander.get("at", [])]
            found = list(self._round(exchange, wanted))
            for one in beside:
                took, complaints = one.result()
                within = max(bystander["within"], 2 * self._undisturbed + 2)
                found += complaints
                if took > within:
                    found.append(f"a bystander took {took:.1f} s, wanted {within:.1f} s")
        for later in wanted.get("then", []):
            if later.get("later"):
                self._player.switch(name)
            found += self._round(exchange, later)
        found += self._calls(exchange, wanted)
        found += self._webhooks(exchange, wanted)
        found += self._fetch(exchange, wanted)
        return found

    def _next_bystander(self) -> str:
        with self._lock:
            return next(self._bystanders)

    def _bystand(self, at: float = 0.0) -> tuple[float, list[str]]:
        """Seconds that a healthy case takes, asked for after ``at`` seconds."""
        threading.Event().wait(at)
        number = self._next_bystander()
        began = time.monotonic()
        self._client.get(f"/processes/{number}").raise_for_status()
        view = self._wait_for_end(number, 120)
        complaints = [] if view["status"] == "completed" else [f"a bystander ended {view['status']}"]
        return time.monotonic() - began, complaints

    def _round(self, exchange: _Exchange, wanted: Mapping[str, Any]) -> Iterator[str]:
        """Ask once, wait for the end, compare."""
        if "ask" in wanted and wanted["ask"] is None:
            return
        began = time.monotonic()
        answer = self._client.get(f"/processes/{exchange.number}", params=wanted.get("ask") or {})
        yield from _answer_differences(answer, wanted, "the request")
        if answer.status_code >= 400:
            return
        seconds = exchange.allowance * wanted["time_limit"]
        view = self._wait_for_end(exchange.number, seconds - (time.monotonic() - began))
        yield from rule_differences(view)
        yield from job_differences(wanted.get("job", {}), view)
        for document in wanted.get("documents", []):
            yield from document_differences(document, view["documents"])
        for document in view["documents"]:
            if document["status"] == "available":
                yield from self._bytes_of(document)
        if "process" in wanted:
            case = self._client.get(f"/processes/{exchange.number}").json()
            yield from differences(wanted["process"], case, "process")

    def _wait_for_end(self, number: str, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            view: dict[str, Any] = self._client.get(f"/processes/{number}/status", params={"wait": 1}).json()
            if view["completed_at"] is not None or time.monotonic() > deadline:
                return view

    def _bytes_of(self, document: Mapping[str, Any]) -> Iterator[str]:
        content = httpx.get(document["download_url"], trust_env=False).raise_for_status().content
        if hashlib.sha256(content).hexdigest() != document["sha256"] or len(content) != document["size"]:
            yield f"document {document['name']!r}: the bytes behind its link are others than recorded"

    def _calls(self, exchange: _Exchange, wanted: Mapping[str, Any]) -> Iterator[str]:
        for call in wanted.get("calls", []):
            path = call["path"].replace("{number}", exchange.number)
            if "{document}" in path:
                view = self._client.get(f"/processes/{exchange.number}/status").json()
                path = path.replace("{document}", view["documents"][0]["id"])
            answer = self._client.request(call["method"], path)
            yield from _answer_differences(answer, call, f"{call['method']} {path}")
            for name, value in call.get("headers", {}).items():
                if not is_met(value, answer.headers.get(name)):
                    yield f"{call['method']} {path}: {name} is {answer.headers.get(name)!r}, wanted {value!r}"

    def _webhooks(self, exchange: _Exchange, wanted: Mapping[str, Any]) -> Iterator[str]:
        for hook in wanted.get("webhooks", []):
            url = hook["url"].replace("{receiver}", f"{self._url}/_webhooks").replace("{case}", exchange.name)
            answer = self._client.get(f"/processes/{exchange.number}", params={"webhook_url": url})
            yield from _answer_differences(answer, hook, f"the webhook {url}")
            if "status" in hook:
                yield from self._delivered(exchange, hook, url)

    def _delivered(self, exchange: _Exchange, hook: Mapping[str, Any], url: str) -> Iterator[str]:
        deadline = time.monotonic() + exchange.allowance * hook["within"]
        status = None
        while status != hook["status"] and time.monotonic() < deadline:
            page = self._client.get("/webhooks/deliveries", params={"process_number": exchange.number}).json()
            status = next((one["status"] for one in page["deliveries"] if one["url"] == url), None)
            threading.Event().wait(0.1)
        if status != hook["status"]:
            yield f"the delivery to {url} is {status}, wanted {hook['status']}"
            return
        body = json.loads(self._player.webhooks[url.partition("/_webhooks/")[2]][-1])
        for path, value in hook.get("body", {}).items():
            value = exchange.number if value == "{number}" else value
            if not is_met(value, at_path(body, path)):
                yield f"the webhook's {path} is {at_path(body, path)!r}, wanted {value!r}"

    def _fetch(self, exchange: _Exchange, wanted: Mapping[str, Any]) -> Iterator[str]:
        if "fetch" not in wanted:
            return
        environ = {**os.environ, "AUTOS_API_URL": self._stack["api_url"], "AUTOS_API_KEY": self._stack["api_key"]}
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-m", "autos.main", "fetch", exchange.number, "--out", out]
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
            # What each file is stands beside them.
            files = sorted(path.name for path in Path(out).iterdir() if path.name != "manifest.json")
        if done.returncode != 0 or len(files) != wanted["fetch"]["count"]:
            yield f"fetch saved {files} with status {done.returncode}: {done.stderr[-300:]}"
        for file in wanted["fetch"].get("files", []):
            if not any(file["name"] in name and name.endswith(tuple(file["ends"])) for name in files):
                yield f"fetch saved {files}: none for {file['name']!r} ends in {file['ends']}"


def _answer_differences(answer: httpx.Response, wanted: Mapping[str, Any], where: str) -> Iterator[str]:
    if answer.status_code not in wanted.get("answer", [200, 202]):
        yield f"{where} was answered {answer.status_code}: {answer.text[:300]}"
    elif answer.status_code >= 400 and "code" in wanted and answer.json()["code"] != wanted["code"]:
        yield f"{where} was answered {answer.json()['code']}, wanted {wanted['code']}"


def _result(future: Future[list[str]]) -> list[str]:
    error = future.exception()
    return future.result() if error is None else [f"the case could not be played: {error!r}"]


@contextmanager
def set_up(data_dir: Path, api: str) -> Iterator[Stage]:
    """The product on a player of the field cases, with the delays that the cases' time limits are made for."""
    player = Player(CASES)
    with playing(player) as url:
        settings = {**_SETTINGS, "AUTOS_PDPJ_API": api, "AUTOS_PDPJ_BASE_URL": url}
        command = ("-m", "autos.main", "up", "--data-dir", str(data_dir))
        with running(command, data_dir, settings) as stack:
            headers = {"authorization": f"Bearer {stack['api_key']}"}
            limits = httpx.Limits(max_connections=100)
            with httpx.Client(
                base_url=stack["api_url"], headers=headers, timeout=90, trust_env=False, limits=limits
            ) as client:
                yield Stage(client, stack, player, url)
