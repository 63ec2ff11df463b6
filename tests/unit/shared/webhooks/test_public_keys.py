"""The key set against the published example of RFC 8037, and what it verifies."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.settings import load
from shared.webhooks.public_keys import key_set
from shared.webhooks.settings import WebhookSigningSettings
from shared.webhooks.signing import signature_headers

# RFC 8037, appendix A.1 to A.3: the private key, its public half, and the thumbprint of that.
_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_published_key_has_its_published_public_half_and_thumbprint() -> None:
    private = "whsk_" + base64.b64encode(base64.urlsafe_b64decode(_D + "=")).decode()
    (key,) = key_set([private])["keys"]
    assert key == {"kty": "OKP", "crv": "Ed25519", "x": _X, "kid": _THUMBPRINT, "use": "sig", "alg": "EdDSA"}


def test_each_key_of_a_rotation_signs_and_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = [Ed25519PrivateKey.generate().private_bytes_raw() for _ in range(3)]
    old, new, single = ("whsk_" + base64.b64encode(one).decode() for one in raw)
    monkeypatch.setenv("AUTOS_WEBHOOK_SIGNING_KEYS", f"{old},{new}")
    monkeypatch.setenv("AUTOS_WEBHOOK_SIGNING_PRIVATE_KEY", single)
    keys = load(WebhookSigningSettings).signing_keys
    assert keys == (old, new, single)
    now = datetime.now(UTC)
    headers = signature_headers(["whsec_AAAA"], "d", now, b"{}", 1, private_keys=keys)
    signatures = headers["webhook-signature"].split(" ")[1:]
    signed = f"d.{int(now.timestamp())}.{{}}".encode()
    for published, signature in zip(key_set(keys)["keys"], signatures, strict=True):
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(published["x"] + "="))
        public.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)
    assert key_set([]) == {"keys": []}
