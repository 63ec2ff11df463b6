"""A webhook receiver in one file: verify the signature, drop repeats, answer quickly.

    AUTOS_WEBHOOK_SECRET=whsec_... uvicorn examples.webhook_receiver:app --port 9000

The secret is at ``GET /webhooks/secret``. ``webhook-id`` is the same in every attempt of a delivery, so it is what to
remember to make a repeat harmless. Do the slow work after answering: the answer is awaited 15 seconds.
"""

from __future__ import annotations

import os
from collections import OrderedDict

from fastapi import BackgroundTasks, FastAPI, Request, Response
from standardwebhooks import Webhook, WebhookVerificationError

app = FastAPI()
_seen: OrderedDict[str, None] = OrderedDict()
_REMEMBERED = 10_000


def handle(event: dict[str, object]) -> None:
    """Your work: fetch the documents, file them, tell the lawyer."""
    data = event["data"]
    assert isinstance(data, dict)
    print(data["process_number"], data["status"], f"{data['completed_documents']}/{data['total_documents']}")  # noqa: T201


@app.post("/autos")
async def receive(request: Request, background: BackgroundTasks) -> Response:
    """204 for a genuine call, new or repeated; 401 for any other."""
    body = await request.body()
    try:
        event = Webhook(os.environ["AUTOS_WEBHOOK_SECRET"]).verify(body, dict(request.headers))
    except WebhookVerificationError:
        return Response(status_code=401)
    delivery = request.headers["webhook-id"]
    if delivery not in _seen:
        _seen[delivery] = None
        while len(_seen) > _REMEMBERED:
            _seen.popitem(last=False)
        background.add_task(handle, event)
    return Response(status_code=204)
