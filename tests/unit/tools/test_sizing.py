"""The arithmetic of docs/scaling.md, and that the page shows what it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.sizing.plan import RATES, Assumptions, need, read_measured, table

PAGE = Path(__file__).parents[3] / "docs" / "scaling.md"
MEASURED: dict[str, Any] = {
    "document_bytes": 1_000,
    "cpu_ms_per_document": {"api": 1, "downloader": 6, "status": 2, "notifier": 1, "postgres": 3, "kafka": 3},
    "database_bytes_per_document": {"total": 100},
    "wal_bytes_per_document": 200,
    "kafka_bytes_per_document": {"document.events": 30, "document.requested": 20, "total": 50},
}


def test_the_page_shows_the_computed_table() -> None:
    measured = read_measured()
    assert table([need(rate, measured) for rate in RATES]) in PAGE.read_text()


def test_what_a_hundred_documents_a_second_need() -> None:
    found = need(100, MEASURED)
    assert found.cores["downloader"] == pytest.approx(1.0)  # 100 * 6 ms, at 60 %
    assert found.replicas == {"api": 2, "downloader": 2, "status": 2, "notifier": 2}
    assert found.source_open == 50
    assert found.database_bytes_per_day == 100 * 86_400 * 100
    assert found.events_bytes_per_day == 100 * 86_400 * 30 * 3
    assert found.work_bytes == 100 * 86_400 * 14 * 20 * 3
    assert found.broker_bytes_per_second == 5_000


def test_waiting_for_the_source_can_need_more_replicas_than_the_work_does() -> None:
    found = need(100, MEASURED, Assumptions(source_seconds=10.0))
    assert found.source_open == 1_000
    assert found.replicas["downloader"] == 32  # 1,000 open, 32 in each


def test_no_rate_no_need() -> None:
    with pytest.raises(ValueError, match="positive"):
        need(0, MEASURED)


@given(rate=st.floats(0.01, 20_000), seconds=st.floats(0.01, 30))
def test_replicas_carry_the_work_and_the_partitions_carry_the_replicas(rate: float, seconds: float) -> None:
    found = need(rate, MEASURED, Assumptions(source_seconds=seconds))
    assert all(found.replicas[name] >= found.cores[name] for name in found.replicas)
    assert found.replicas["downloader"] * found.concurrency >= rate * seconds - 1e-6
    assert found.partitions >= max(found.replicas["downloader"], found.replicas["status"])
    assert found.partitions % 12 == 0
