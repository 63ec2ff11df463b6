"""An application that has the error handlers of ours and nothing else."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from services.api.http import error_handlers


def problem_app() -> FastAPI:
    """One whose requests have the id ``an-id``; the caller adds routes."""
    app = FastAPI()
    error_handlers.install(app)

    @app.middleware("http")
    async def give_an_id(request: Request, call_next: Any) -> Response:
        request.state.request_id = "an-id"
        answer: Response = await call_next(request)
        return answer

    return app
