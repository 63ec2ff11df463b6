"""A large case costs as much as its documents are, also while PostgreSQL does not know yet how large cases are.

Its statistics are young after an installation and after a restored backup: they say that a case has one document.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest
from sqlalchemy import Connection, text

from ops.invariants.database import DatabaseReader
from ops.invariants.findings import Mismatch, Rule
from ops.repair import plan as plan_repair
from services.api.documents.manifest_rows import manifest_rows
from services.api.feed.facts import read_facts
from services.api.jobs import repository as jobs
from services.api.processes.view.pages import DocumentFilter, find_page
from services.api.processes.view.repository import available_of, documents_of
from services.downloader.catalog_queries import DocumentKey, find_documents, find_listed
from services.downloader.fetcher.duplicates import find_stored
from services.downloader.planner.plan_rows import find_catalog
from services.notifier.intake.document_batches import new_batches
from services.notifier.sending.batch_body_rows import load_batches
from services.notifier.sending.body_key import BodyKey
from services.notifier.sending.body_rows import load
from shared.db.case_store import iterate_documents, number_documents
from shared.db.engine import Database
from shared.db.prepared import run_together
from shared.domain.cnj import make
from shared.domain.secrecy import Sight, Viewer
from shared.domain.statuses import DocumentStatus
from tests.integration.db.fresh import fresh_database
from tests.integration.db.work import counted_work
from tests.support import Servers

DOCUMENTS: Final = 2_000
OF_A_DOCUMENT: Final = 25
"""Rows and pages that a statement may see for each document of the case; one that compares them all sees 2,000."""
_STATISTICS: Final = {"never made": None, "of an empty table": 0, "of one document": 1, "of a small case": 3}
_CLIENT: Final = "INSERT INTO catalog.clients (client_id, name, webhook_secret) VALUES ('client', 'test', 's')"
# A case whose job runs and has brought every document, and has told of the first hundred.
_CASE: Final = (
    "INSERT INTO catalog.processes (process_number, subjects, parties, movements, secrecy_level, fetched_at)"
    " VALUES (:number, '[]', '[]', '[]', 0, now())",
    "INSERT INTO catalog.process_requests (client_id, process_number, first_requested_at, last_requested_at)"
    " VALUES ('client', :number, now(), now())",
    "INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, active, created_at)"
    " VALUES (:job, :number, 'client', 'all', false, true, now())",
    "INSERT INTO catalog.documents (process_number, document_id, position, name, secrecy_level, source_path)"
    " SELECT :number, gen_random_uuid(), :documents - place, 'p', CASE place WHEN 5 THEN 'SEGREDO_JUSTICA' END, '/p'"
    " FROM generate_series(1, :documents) AS place",
    "INSERT INTO progress.jobs (job_id, process_number, status, total_documents, completed_documents, created_at,"
    " planned_at) VALUES (:job, :number, 'processing', :documents, :documents / 2, now(), now())",
    "INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size, updated_at)"
    " SELECT :number, document_id, :job, 'available', 'k' || document_id, encode(sha256(document_id::text::bytea),"
    " 'hex'), 1, now() FROM catalog.documents WHERE process_number = :number",
    "INSERT INTO progress.job_documents (job_id, document_id, status)"
    " SELECT :job, document_id, 'requested' FROM catalog.documents WHERE process_number = :number",
    "INSERT INTO delivery.document_batches (job_id, part, process_number, document_ids, made_at)"
    " SELECT :job, (place - 1) / 100, :number, array_agg(document_id), now() FROM (SELECT document_id,"
    " row_number() OVER () AS place FROM catalog.documents WHERE process_number = :number LIMIT :documents / 2)"
    " AS listed GROUP BY (place - 1) / 100",
)


@dataclass(frozen=True)
class LargeCase:
    """The case in its database, and the ids of its documents."""

    database: Database
    url: str
    number: str
    job_id: str
    ids: list[str]


def _make(connection: Connection, number: str, job_id: str, documents: int) -> None:
    for statement in _CASE:
        connection.execute(text(statement), {"number": number, "job": job_id, "documents": documents})


@pytest.fixture(scope="module", params=_STATISTICS)
def case(request: pytest.FixtureRequest, servers: Servers) -> Iterator[LargeCase]:
    """Not analyzed, as it is in its first minute; autovacuum, which would, stays away."""
    before = _STATISTICS[request.param]
    with fresh_database(servers) as fresh:
        database = Database.connect(fresh.owner_url, application_name="test", pool_size=1)
        number, other = (str(make(one, 2026, 8, 26, 597)) for one in (1, 2))
        job_id = str(uuid.uuid4())
        with database.transaction() as connection:
            for table in ("catalog.documents", "progress.documents", "progress.job_documents"):
                connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
            connection.execute(text(_CLIENT))
            if before:
                _make(connection, other, str(uuid.uuid4()), before)
        with database.transaction() as connection:
            if before is not None:
                connection.execute(text("ANALYZE"))
        with database.transaction() as connection:
            _make(connection, number, job_id, DOCUMENTS)
            ids = "SELECT document_id::text FROM catalog.documents WHERE process_number = :number"
            found = list(connection.execute(text(ids), {"number": number}).scalars())
        yield LargeCase(database, fresh.owner_url, number, job_id, found)
        database.close()


Look = Callable[[Connection, LargeCase], object]
_EVERYTHING: Final = Sight(sealed=True)
_ALL_BUT_SEALED: Final = Sight(sealed=False)
LOOKS: Final[dict[str, Look]] = {
    "order the documents": lambda c, case: number_documents(c, case.number),
    "plan all": lambda c, case: list(iterate_documents(c, case.number)),
    "plan some": lambda c, case: list(iterate_documents(c, case.number, document_ids=case.ids[:500])),
    "a window": lambda c, case: find_catalog(c, case.number, case.ids),
    "fetch": lambda c, case: find_listed(c, [DocumentKey(case.number, one) for one in case.ids]),
    "remind": lambda c, case: find_documents(
        c, [DocumentKey(case.number, one) for one in case.ids], status=DocumentStatus.AVAILABLE
    ),
    "find the same bytes": lambda c, case: find_stored(c, [case.number]),
    "tell of documents": lambda c, case: run_together(c, new_batches([case.job_id], datetime.now(UTC))).all(),
    "a webhook's batches": lambda c, case: load_batches(c, [BodyKey(case.job_id, part=part) for part in range(10)]),
    "a webhook's body": lambda c, case: _body(c, case),
    "events": lambda c, case: read_facts(c, Viewer("client", sealed=False), _events(case), None),
    "repair": lambda c, case: plan_repair(c, [Mismatch(Rule.JOB_STUCK, case.job_id, "")]).records,
    "doctor --deep": lambda _, case: list(DatabaseReader(case.url, datetime(2026, 1, 1, tzinfo=UTC)).jobs()),
    "files": lambda c, case: available_of(c, case.number, _ALL_BUT_SEALED, 1_000),
    "all documents": lambda c, case: documents_of(c, case.number, _EVERYTHING),
    "a page": lambda c, case: _page(c, case, DocumentFilter(limit=100)),
    "a page by status": lambda c, case: _page(c, case, DocumentFilter(status="failed", limit=100)),
    "a page of what is here": lambda c, case: _page(c, case, DocumentFilter(status="available", limit=500)),
    "a manifest": lambda c, case: list(manifest_rows(c, case.number, sealed=True)),
    "count what all may see": lambda c, case: jobs.seen_counts(c, [case.job_id]),
}


def _body(connection: Connection, case: LargeCase) -> object:
    connection.execute(
        text(
            "INSERT INTO delivery.completions (job_id, process_number, status, total_documents, completed_documents,"
            " failed_documents, created_at, completed_at, recorded_at)"
            " VALUES (:job, :number, 'completed', :documents, :documents, 0, now(), now(), now())"
        ),
        {"job": case.job_id, "number": case.number, "documents": DOCUMENTS},
    )
    return load(connection, [BodyKey(case.job_id)])


def _events(case: LargeCase) -> list[Any]:
    """Rows of ``feed_events``."""
    named = {"event_type": "document.available", "process_number": case.number, "job_id": case.job_id}
    return [SimpleNamespace(**named, part=part) for part in range(10)]


def _page(connection: Connection, case: LargeCase, wanted: DocumentFilter) -> object:
    return find_page(connection, _ALL_BUT_SEALED, case.number, wanted, None)


@pytest.mark.parametrize("look", LOOKS)
def test_a_statement_looks_at_each_document_of_a_large_case_a_few_times(case: LargeCase, look: str) -> None:
    engine = case.database.engine
    with counted_work() as statements, engine.connect() as connection:
        LOOKS[look](connection, case)
        connection.rollback()
    assert statements
    for statement in statements:
        assert max(statement.rows, statement.pages) <= OF_A_DOCUMENT * DOCUMENTS, statement
