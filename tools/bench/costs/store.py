"""Requests to the object store, from its own metrics (SeaweedFS: SeaweedFS_s3_request_total)."""

from __future__ import annotations

import re
from typing import Final

import httpx

_LINE: Final = re.compile(r"^SeaweedFS_s3_request_total\{(.*)\} (\S+)$", re.MULTILINE)
_KIND: Final = re.compile(r'type="([^"]*)"')


def counters(metrics: str) -> dict[str, float]:
    """Requests by kind, from the text of its metrics."""
    found: dict[str, float] = {}
    for labels, value in _LINE.findall(metrics):
        kind = _KIND.search(labels)
        for name in ("S3 requests", f"S3 requests: {kind.group(1) if kind else '?'}"):
            found[name] = found.get(name, 0.0) + float(value)
    return found


def read(port: int) -> dict[str, float]:
    """The same from a running store. Raises httpx.HTTPError."""
    return counters(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False).text)
