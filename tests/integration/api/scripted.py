"""What the tests of the api are played with: a source with a script, the projection's side, what was written."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from sqlalchemy import Engine, select

from services.api.app import create_app
from services.api.http.provided import parts_of
from services.api.settings import ApiSettings
from services.status.projection.apply import Projection
from services.status.projection.rows import Occurrence
from shared.db import catalog
from shared.db.engine import Database
from shared.domain.case import Case, CaseDocument
from shared.domain.cnj import ProcessNumber
from shared.events.document_events import DocumentAvailable, DocumentFailed, JobEvent, JobPlanned
from shared.storage.store import object_key
from sources.errors import ProcessNotFound

MakeApp = Callable[..., FastAPI]
MakeKey = Callable[..., str]
MakeNumber = Callable[[], ProcessNumber]


@dataclass
class ScriptedSource:
    """Cases as the test says, and how often each was read. ``failing`` is raised instead."""

    cases: dict[str, Case] = field(default_factory=dict)
    failing: Exception | None = None
    delay: float = 0.0
    reads: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    """Cases that the source does not know."""

    async def fetch_case(self, number: ProcessNumber) -> Case:
        self.reads[number] = self.reads.get(number, 0) + 1
        await asyncio.sleep(self.delay)
        if self.failing is not None:
            raise self.failing
        if number in self.missing or number not in self.cases:
            raise ProcessNotFound
        return self.cases[number]

    async def last_update(self, number: ProcessNumber, *, within: float | None = None) -> str | None:
        """As the portal: no change detection."""
        return None

    async def aclose(self) -> None:
        """Nothing is open."""

    def add(self, number: ProcessNumber, documents: int = 3) -> Case:
        listed = [
            CaseDocument(
                document_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number}/{index}")),
                name=f"Petição nº {index}",
                type="Petição",
                type_code="57",
                sequence=index,
                filed_at=datetime(2024, 5, 2, 15, 30, tzinfo=UTC) + timedelta(seconds=index),
                pages=2,
                size=1000 + index,
                content_type="application/pdf",
                secrecy_level="PUBLICO",
                source_path=f"/processos/{number}/documentos/{index}/binario",
            )
            for index in range(documents)
        ]
        case = Case(
            process_number=number,
            court="TJSP",
            degree="G1",
            class_="Procedimento Comum Cível",
            subjects=[{"code": 7780, "description": "Indenização por Dano Moral"}],
            parties=[{"name": "Parte Autora", "role": "AUTOR", "pole": "ATIVO", "representatives": []}],
            filed_at=datetime(2024, 5, 1, 12, 0, tzinfo=UTC),
            claim_value=None,
            secrecy_level=0,
            movements=[],
            documents=listed,
        )
        self.cases[number] = case
        return case


class Progress:
    """Plays the downloader: tells the projection what happened."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._projection = Projection()

    def tell(self, *events: JobEvent) -> None:
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            self._projection.apply(connection, [Occurrence(event, now) for event in events], now)

    def plan(self, view: dict[str, Any], total: int, available: int = 0) -> None:
        self.tell(
            JobPlanned(
                job_id=view["job"]["job_id"],
                process_number=view["process_number"],
                total_documents=total,
                already_available=available,
            )
        )

    def available(self, view: dict[str, Any], *document_ids: str) -> None:
        self.tell(
            *(
                DocumentAvailable(
                    job_id=view["job"]["job_id"],
                    process_number=view["process_number"],
                    document_id=identity,
                    object_key=object_key(view["process_number"], identity),
                    sha256="ab" * 32,
                    size=10,
                    content_type="application/pdf",
                )
                for identity in document_ids
            )
        )

    def failed(self, view: dict[str, Any], *document_ids: str, code: str = "source_error") -> None:
        self.tell(
            *(
                DocumentFailed(
                    job_id=view["job"]["job_id"],
                    process_number=view["process_number"],
                    document_id=identity,
                    error_code=code,
                    error_message="the source failed on this request",
                    attempts=4,
                )
                for identity in document_ids
            )
        )

    def finish(self, view: dict[str, Any]) -> None:
        """Every document of the job's case is available."""
        identities = [document["id"] for document in view["documents"]]
        self.plan(view, len(identities))
        self.available(view, *identities)


@dataclass
class Stored:
    """What the api wrote, read as the owner."""

    engine: Engine

    def jobs(self, number: str) -> list[Any]:
        with self.engine.connect() as connection:
            statement = select(catalog.jobs).where(catalog.jobs.c.process_number == number)
            return list(connection.execute(statement.order_by(catalog.jobs.c.created_at)))

    def events(self, number: str, kind: str) -> list[dict[str, Any]]:
        """The payloads of the outbox rows of a case."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(catalog.outbox.c.payload).where(catalog.outbox.c.type == kind).order_by(catalog.outbox.c.seq)
            )
            found = [orjson.loads(row.payload) for row in rows]
        return [payload for payload in found if payload.get("process_number") == number]

    def traces(self, number: str) -> set[str]:
        """The trace ids of a case's outbox rows."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(catalog.outbox.c.payload, catalog.outbox.c.headers)).all()
        return {row.headers["traceparent"].split("-")[1] for row in rows if number in row.payload}


@dataclass(frozen=True)
class ApiTools:
    """What most tests of the api work with, as one fixture: each of these is a fixture of its own, too."""

    make_app: MakeApp
    new_key: MakeKey
    source: ScriptedSource
    progress: Progress
    process_number: MakeNumber
    owner: Engine
    stored: Stored


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of an application that connects to nothing."""
    settings = ApiSettings(
        _env_file=None,
        database_url="postgresql://nobody@127.0.0.1:9/none",
        kafka_bootstrap_servers="127.0.0.1:9",
        pdpj_base_url="http://127.0.0.1:9/portal",
        pdpj_access_token="unused",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="y",
    )
    app = create_app(settings, source=ScriptedSource())
    parts_of(app).get(Database).close()
    document: dict[str, Any] = app.openapi()
    return document


def client_of(app: FastAPI, key: str) -> httpx.AsyncClient:
    """An HTTP client of an application in this process."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api", headers={"Authorization": f"Bearer {key}"}
    )
