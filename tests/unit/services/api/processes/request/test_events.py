"""The events that a request causes do not grow with the case."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from services.api.jobs.model import CaseJob
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.events import process_requested
from shared.domain.cnj import parse
from shared.domain.secrecy import Viewer
from shared.domain.statuses import JobScope

NUMBER = parse("1000145-91.2023.8.26.0597")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
REQUEST = CaseRequest(number=NUMBER, viewer=Viewer("acme", sealed=False), asked_at=NOW, traceparent="00-0-0-01")
JOB = CaseJob(str(uuid.uuid4()), NUMBER, "acme", JobScope.WHOLE_CASE, False, True, NOW, None)


def test_a_request_names_at_most_five_hundred_documents() -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(501)]
    assert len(process_requested(REQUEST, JOB, ids[:500], NOW).value or b"") < 25_000
    with pytest.raises(ValueError, match="at most 500"):
        process_requested(REQUEST, JOB, ids, NOW)
