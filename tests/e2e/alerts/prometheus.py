"""A real Prometheus over a running product, with the rules of a rehearsal: they fire within seconds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest
import yaml

from autos.local.ports_and_secrets import free_port
from autos.local.server import Command, start
from tests.product import Product
from tests.support import wait_until
from tools.monitoring.__main__ import main as write_rules

FOLDERS: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/bin", "/usr/local/bin", "/opt/prometheus"))
BINARY: Final = shutil.which("prometheus", path=FOLDERS)
_SERVICES: Final = ("downloader", "status", "notifier")


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    client: httpx.Client

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        found = self.client.get("/api/v1/alerts").raise_for_status().json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    def scraped(self) -> int:
        """How many targets were scraped at least once, and answered the last time."""
        found = self.client.get("/api/v1/targets").raise_for_status().json()["data"]["activeTargets"]
        return sum(target["health"] == "up" for target in found)

    def value(self, expression: str) -> float:
        """The first value of an expression; NaN without one."""
        answer = self.client.get("/api/v1/query", params={"query": expression}).raise_for_status().json()
        found = answer["data"]["result"]
        return float(found[0]["value"][1]) if found else float("nan")

    def expect(self, *names: str, within: float = 60.0) -> None:
        """Wait until all of these alerts have fired since now, not all of them at once."""
        left = set(names)

        def all_seen() -> bool:
            left.difference_update(self.firing())
            return not left

        wait_until(all_seen, within, f"the alerts {', '.join(names)}")


def _targets(product: Product) -> list[dict[str, Any]]:
    found = [
        {"targets": [url.removeprefix("http://") for url in product.api_urls], "labels": {"service": "api"}},
    ]
    for service in _SERVICES:
        port = psutil.Process(product.pid(service)).environ()["AUTOS_METRICS_PORT"]
        found.append({"targets": [f"127.0.0.1:{port}"], "labels": {"service": service}})
    return found


@contextmanager
def watching(product: Product, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus until the block ends; skips the test where there is none."""
    if BINARY is None:
        pytest.skip("no Prometheus here (Debian: apt-get install prometheus)")
    folder.mkdir(parents=True, exist_ok=True)
    assert write_rules(["--rehearsal", str(folder / "rules.yml")]) == 0
    targets = _targets(product)
    scrape = {"job_name": "autos", "scrape_timeout": "1s", "static_configs": targets}
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{free_port()}"
    command = (
        BINARY,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    process = start(Command(command, folder / "prometheus.log", death_signal=signal.SIGKILL))
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=30, trust_env=False) as client:
            prometheus = Prometheus(client)

            def is_up() -> bool:
                assert process.poll() is None, (folder / "prometheus.log").read_text()
                # A rise is seen between two samples: what happens before the first is seen by no alert.
                try:
                    return prometheus.scraped() == sum(len(group["targets"]) for group in targets)
                except httpx.HTTPError:
                    return False

            wait_until(is_up, what="every target scraped")
            yield prometheus
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
