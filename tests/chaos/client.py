"""A client that means to get its case: asks, repeats on errors, polls to the end, and notes what went backwards."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.product import ENDED

_PAUSE: Final = 0.25
_POLL: Final = 0.2
_STATES: Final = {"pending": 0, "processing": 0, "failed": 1, "available": 2}


@dataclass
class Progress:
    """What a poller has seen; each new view may only go forward."""

    job_id: str | None = None
    done: int = 0
    percentage: float = 0.0
    ended: str | None = None
    documents: dict[str, int] = field(default_factory=dict)

    def see(self, view: Mapping[str, Any]) -> None:
        """Raises AssertionError for a step back."""
        done = view["completed_documents"] + view["failed_documents"]
        assert self.job_id in (None, view["job_id"]), f"another job: {self.job_id}, then {view['job_id']}"
        assert done >= self.done, f"{self.done} documents done, then {done}"
        percentage = view["progress_percentage"]
        assert percentage >= self.percentage, f"{self.percentage} %, then {percentage} %"
        assert self.ended in (None, view["status"]), f"{self.ended}, then {view['status']}"
        for document in view["documents"]:
            state, before = _STATES[document["status"]], self.documents.get(document["id"], 0)
            assert state >= before, f"document {document['id']} went back to {document['status']}"
            self.documents[document["id"]] = state
        missing = self.documents.keys() - {document["id"] for document in view["documents"]}
        assert not missing, f"{len(missing)} documents are not listed any more"
        self.job_id, self.done, self.percentage = view["job_id"], done, percentage
        self.ended = view["status"] if view["status"] in ENDED else None


@dataclass
class Tally:
    """What the clients of one case went through."""

    requests: int = 0
    repeated: int = 0
    """Requests that got no answer, or one that says: try again."""
    longest_gap: float = 0.0
    """Seconds without an answer."""


class PatientClient:
    """One client and one case. Raises AssertionError when the API lets it down for good.

    Each request goes to another replica of the API than the one before, as through a load balancer.
    """

    def __init__(self, api_urls: Sequence[str], api_key: str, deadline: float) -> None:
        self._client = httpx.Client(headers={"authorization": f"Bearer {api_key}"}, timeout=30, trust_env=False)
        self._urls = itertools.cycle(api_urls)
        self._deadline = deadline
        self.tally = Tally()
        self.progress = Progress()

    def follow(self, number: str, webhook_url: str) -> dict[str, Any]:
        """Ask, poll, and return the last StatusView."""
        try:
            self.ask(f"/processes/{number}", webhook_url=webhook_url)
            while True:
                view = self.ask(f"/processes/{number}/status")
                self.progress.see(view)
                if view["status"] in ENDED:
                    return view
                assert time.monotonic() < self._deadline, f"{number} has not ended: {_summary(view)}"
                time.sleep(_POLL)
        finally:
            self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        """Repeat a request until it is answered."""
        began = time.monotonic()
        while True:
            self.tally.requests += 1
            problem = ""
            try:
                answer = self._client.get(next(self._urls) + path, params=parameters)
                if answer.status_code in (200, 202):
                    self.tally.longest_gap = max(self.tally.longest_gap, time.monotonic() - began)
                    view: dict[str, Any] = answer.json()
                    return view
                problem = f"{answer.status_code} {answer.text[:300]}"
                assert answer.status_code == 429 or answer.status_code >= 500, f"{path}: {problem}"
                # RFC 9457: even what cannot be answered now is answered in form.
                assert answer.headers["content-type"] == "application/problem+json", f"{path}: {problem}"
            except httpx.TransportError as error:
                problem = type(error).__name__
            self.tally.repeated += 1
            assert time.monotonic() < self._deadline, f"{path} is not answered: {problem}"
            time.sleep(_PAUSE)


def _summary(view: Mapping[str, Any]) -> str:
    states: dict[str, int] = {}
    for document in view["documents"]:
        states[document["status"]] = states.get(document["status"], 0) + 1
    return f"{view['status']}, {view['completed_documents']} of {view['total_documents']}, {states}"
