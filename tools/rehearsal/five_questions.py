"""Five things that go wrong at once, each to be found with the page, the metrics and docs/runbooks.md alone.

A case with two documents that the source refuses; a receiver that answers 500; a source that goes away; a service that
is stopped (SIGSTOP: it lives and does nothing); and cases that wait for all of it. Nothing is lost.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from typing import Any, Final

from autos.local.pdpj.control import Failure, FailureKind
from shared.domain.cnj import make
from tools.rehearsal.running import RehearsalStack

QUESTIONS: Final = """
Five minutes for each, with the page, /metrics of the services and docs/runbooks.md, and nothing else:

  1. One case ended with fewer documents than it has. Which, and why did its documents fail?
  2. One webhook did not arrive. Which, why, and when is it tried again?
  3. The source is away. Since when, and what does the platform answer?
  4. One service is behind. Which?
  5. Was anything lost?

`python -m tools.rehearsal five-questions --answers` tells; `--end` lets everything work again.
"""
ANSWERS: Final = """
  1. Cases: the one that is "Partly complete". Its page marks the two documents: no_access (the account may not
     read it) and document_not_found (the source does not have it). System, "Given up", has both, with a button.
  2. Deliveries: the one that "Will be retried", with the time of the next attempt; it answered 500. The row opens
     to its attempts. (The filter "Waiting" shows none: those have no attempt yet.)
  3. System, "Source": Away, since when, source_unavailable. Its requests of 24 hours are beside it. Alert SourceAway.
  4. System, "Which service is behind": status is, by records of document.events; the number stands still, and
     "no less for" grows. Alert ServiceDown: a stopped service answers no scrape, and publishes no lag.
  5. Nothing. System, "Given up": the two documents of question 1 and nothing else; what waits is under "What waits".
"""
_PATH: Final = "/rehearsal/refuses"
_DOCUMENTS: Final = 40


class FiveQuestions:
    """Sets the situation up, and ends it. ``say`` is called with a line for each step."""

    def __init__(self, stack: RehearsalStack, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._say = say
        self._chance = random.Random()

    def begin(self) -> None:
        """Returns when all of it can be seen. Raises NotReady."""
        self._say("a case of which two documents fail")
        refused = Failure(kind=FailureKind.NO_ACCESS_403, document=2)
        missing = Failure(kind=FailureKind.NOT_FOUND_404, document=5)
        self._ends(self._ask("/rehearsal/takes", documents=8, failures=[refused, missing]))
        self._say("a receiver that answers 500")
        self._stack.receiver.post("/_control", json={"status": 500, "path": _PATH}).raise_for_status()
        number = self._ask(_PATH, documents=3)
        self._ends(number)
        self._stack.wait(lambda: self._attempts(number) > 0, "an attempt at the webhook")
        self._say("a service that is stopped, and work for it")
        self._stack.signal("status", signal.SIGSTOP)
        for _ in range(2):
            self._ask("/rehearsal/takes", documents=_DOCUMENTS)
        self._stack.wait(lambda: self._behind() >= _DOCUMENTS, "the lag of the stopped service")
        self._say("a source that is away, and cases that wait for it")
        self._stack.simulator.outage(FailureKind.UNAVAILABLE_503)
        for _ in range(3):
            self._ask("/rehearsal/takes", documents=5)
        self._stack.wait(self._source_is_away, "the source is seen to be away", 120.0)

    def end(self) -> None:
        """Everything works again; what waited is done, and nothing of it is lost."""
        self._stack.simulator.outage(None)
        self._stack.receiver.delete("/_control").raise_for_status()
        self._stack.signal("status", signal.SIGCONT)

    def _ask(self, path: str, **case: Any) -> str:
        number = str(make(self._chance.randrange(10_000_000), 2024, 8, 26, 100))
        self._stack.simulator.put_case(number, size=20_000, degrees=1, **case)
        url = f"{self._stack.receiver.base_url}".rstrip("/") + path
        answer = self._stack.api.get(f"/processes/{number}", params={"webhook_url": url, "documents": "false"})
        answer.raise_for_status()
        return number

    def _ends(self, number: str) -> None:
        def ended() -> bool:
            view = self._stack.get(f"/processes/{number}/status", documents="false")
            return view["status"] in {"completed", "partial"}

        self._stack.wait(ended, f"the end of {number}")

    def _attempts(self, number: str) -> int:
        found = self._stack.get("/webhooks/deliveries", process_number=number)["deliveries"]
        return len(found[0]["attempts"]) if found else 0

    def _behind(self) -> int:
        lags = self._stack.get("/system")["lags"] or []
        return sum(lag["behind"] for lag in lags if lag["topic"] == "document.events")

    def _source_is_away(self) -> bool:
        return any(one["state"] == "away" for one in self._stack.get("/source/status")["sources"])
