"""What is read of a record that nobody could handle, and whose end is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.catalog_queries import StoredJob
from services.downloader.dead_letter_ends import ReadableFields, case_of, readable_fields

NUMBER = "1000145-91.2023.8.26.0597"
OTHER = "5000315-75.2025.4.03.6327"
JOB = "11111111-1111-4111-8111-111111111111"


def job(number: str = NUMBER) -> StoredJob:
    return StoredJob(number, "all", False, False, datetime(2025, 1, 2, tzinfo=UTC), False)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, ReadableFields()),
        (b"not json", ReadableFields()),
        (b"[]", ReadableFields()),
        (b"[" * 100_000, ReadableFields()),
        (b'{"job_id": 1, "attempt": true}', ReadableFields()),
        (b'{"attempt": ' + b"9" * 5_000 + b"}", ReadableFields()),
        (f'{{"job_id": "{JOB.upper()}", "attempt": -7, "name": "\\ud800"}}'.encode(), ReadableFields(job_id=JOB)),
        (
            json.dumps({"job_id": JOB, "process_number": NUMBER, "document_id": JOB, "attempt": 3}).encode(),
            ReadableFields(JOB, NUMBER, JOB, 3),
        ),
        (json.dumps({"job_id": JOB, "process_number": "1234567-89.2023.8.02.0001"}).encode(), ReadableFields(JOB)),
    ],
)
def test_names_are_read_whatever_else_is_wrong(value: bytes | None, names: ReadableFields) -> None:
    assert readable_fields(value) == names


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.binary(max_size=100) | st.dictionaries(st.sampled_from(["job_id", "attempt", "document_id"]), _json))
def test_nothing_breaks_the_reading(value: Any) -> None:
    readable_fields(value if isinstance(value, bytes) else json.dumps(value).encode())


def test_an_end_is_told_of_the_jobs_own_case_only() -> None:
    assert case_of(ReadableFields(JOB, NUMBER), job()) == NUMBER
    assert case_of(ReadableFields(JOB), job()) == NUMBER
    assert case_of(ReadableFields(JOB, OTHER), job()) is None
    assert case_of(ReadableFields(JOB, OTHER), None) == OTHER
    assert case_of(ReadableFields(JOB), None) is None
