"""A test event is sent as a delivery is: guarded, signed, with the same headers and bounds."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.api.scripted import MakeApp, MakeKey, client_of
from tests.integration.notifier.test_hostile_receivers import FLOODS, flood
from tests.integration.notifier.world import always, receiving
from tests.tcp import tcp_server


async def test_a_test_event_is_signed_as_a_delivery_is(make_app: MakeApp, new_key: MakeKey) -> None:
    key = Ed25519PrivateKey.generate()
    private = "whsk_" + base64.b64encode(key.private_bytes_raw()).decode()
    async with (
        receiving(always(202)) as receiver,
        client_of(make_app(webhook_signing_private_key=private), new_key()) as api,
    ):
        result = (await api.post("/webhooks/test", json={"url": receiver.url})).json()
        secret = (await api.get("/webhooks/secret")).json()["secret"]
    assert (result["succeeded"], result["status_code"]) == (True, 202)
    (call,) = receiver.calls
    assert call.verify(secret)["type"] == "webhook.test"
    assert (call.delivery_id, call.attempt) == (result["webhook_id"], 1)
    assert call.headers["content-type"] == "application/json"
    signatures = dict(signature.split(",") for signature in call.headers["webhook-signature"].split(" "))
    signed = f"{call.delivery_id}.{call.headers['webhook-timestamp']}.".encode() + call.body
    key.public_key().verify(base64.b64decode(signatures["v1a"]), signed)


async def test_a_test_event_has_the_bounds_of_a_delivery(make_app: MakeApp, new_key: MakeKey) -> None:
    async with client_of(make_app(), new_key()) as api:
        for first, then, code in FLOODS:
            async with tcp_server(flood(first, then)) as port:
                url = f"http://127.0.0.1:{port}/"
                result = (await api.post("/webhooks/test", json={"url": url}, timeout=30)).json()
            assert (result["error_code"], result["succeeded"]) == (code, code is None)
            assert len(result["response_excerpt"]) <= 4096
