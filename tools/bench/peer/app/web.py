"""Requests: ask for a case, look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException

from . import rows
from .clients import pool
from .tasks import read_case


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    with pool().connection() as db:
        db.execute(rows.SCHEMA)
    yield


app = FastAPI(lifespan=_lifespan)


@app.post("/cases/{number}", status_code=202)
def ask(number: str, webhook_url: str = "") -> dict[str, str]:
    """Store the job and send its task; a second request joins the first."""
    with pool().connection() as db:
        case_id, new = rows.ask(db, number, webhook_url)
    if new:
        read_case.delay(case_id, number)
    return {"id": case_id}


@app.get("/cases/{number}")
def look(number: str) -> dict[str, Any]:
    """The case with its documents."""
    with pool().connection() as db:
        case_id = rows.find(db, number)
        if case_id is None:
            raise HTTPException(404, "nobody asked for this case yet; ask with POST")
        return rows.view(db, case_id)


@app.get("/health")
def health() -> dict[str, str]:
    """Whether it answers."""
    return {"status": "ok"}
