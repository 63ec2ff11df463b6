"""What speaks for an outage of the source, and what against: failures by case, and answers since. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

DOUBT_SECONDS: Final = 30.0
"""For so long after the first of several cases failed a doubt is one; then the documents are taken to be at fault."""


class FailureCause(Enum):
    """What a failure was about."""

    DOCUMENT = auto()
    """About what was asked for: the source gave others what they asked for since. It costs an attempt."""
    DOUBT = auto()
    """The source knows cases, but gives no document to anybody: a few more tries before it costs an attempt."""
    OUTAGE = auto()
    """About the source: wait, and count nothing."""


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """A request that found the source away. ``began`` and ``at`` are monotonic seconds, ``era`` the breaker's."""

    case: str | None
    began: float
    at: float
    era: int
    about_case: bool = False
    """The case itself was read, and none of its documents."""
    source_at_fault: bool = False
    """Known to be about the source: a pause that it asked for, or credentials that it refuses."""
    request_at_fault: bool = False
    """Known to be about the case or document that was requested."""


class OutageEvidence:
    """Collects outcomes since the source last gave a document. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failed: dict[str | None, int] = {}
        self._first_at = float("inf")
        self._document_at = float("-inf")
        self._case_at = float("-inf")
        self._doubt_at = float("-inf")

    @property
    def cases(self) -> frozenset[str | None]:
        """The cases that failed since the last document came."""
        return frozenset(self._failed)

    @property
    def failures(self) -> int:
        """How many requests failed since."""
        return sum(self._failed.values())

    def failed(self, case: str | None, at: float) -> None:
        """The source was not there for a request of this case."""
        if not self._failed:
            self._first_at = at
        self._failed[case] = self._failed.get(case, 0) + 1

    def answered(self, began: float, *, about_case: bool) -> None:
        """A request that began then was answered. That cases are known does not show that documents are given."""
        if about_case:
            self._case_at = max(self._case_at, began)
            return
        self._document_at = max(self._document_at, began)
        self._failed.clear()

    def doubtful(self, began: float) -> None:
        """The control request of then found that cases are known, and had no document to ask for."""
        self._doubt_at = max(self._doubt_at, began)
        self._case_at = max(self._case_at, began)

    def forget(self) -> None:
        """An outage is over: what failed in it says nothing."""
        self._failed.clear()

    def judge(self, failure: RequestFailure) -> FailureCause | None:
        """What is known of a failure by now; None when nothing was asked since."""
        if failure.request_at_fault or self._document_at > failure.at:
            return FailureCause.DOCUMENT
        if failure.about_case:
            return FailureCause.DOCUMENT if self._case_at > failure.at else None
        if self._doubt_at > failure.at:
            # One case alone never makes a doubt, however many documents it has.
            several = len(self._failed.keys() | {failure.case}) > 1
            return (
                FailureCause.DOUBT if several and failure.at < self._first_at + DOUBT_SECONDS else FailureCause.DOCUMENT
            )
        return None
