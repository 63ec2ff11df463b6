"""What every request for a case begins with: who asks, when, and in which trace."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from services.api.access.caller import Caller
from services.api.http.provided import Now, Trace
from services.api.processes.request.ask import AskTemplate


async def _asking(request: Request, now: Now, trace: Trace) -> AskTemplate:
    # `authenticated` has found it: every route with a caller stands behind it (services/api/app.py).
    caller: Caller = request.state.caller
    return AskTemplate(viewer=caller.viewer, asked_at=now, traceparent=trace)


Asking = Annotated[AskTemplate, Depends(_asking)]
"""The request as it came in; the route adds what it wants (``dataclasses.replace``) and of which case (``of``)."""
