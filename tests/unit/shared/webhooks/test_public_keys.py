"""The key set against the published example of RFC 8037, and what it verifies."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.settings import load
from shared.webhooks.public_keys import key_set
from shared.webhooks.settings import WebhookSigningSettings
from shared.webhooks.signing import sign_content, signature_headers

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


def test_the_published_signature_of_rfc_8037_is_made() -> None:
    private = "whsk_" + base64.b64encode(base64.urlsafe_b64decode(_D + "=")).decode()
    # Appendix A.4.
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    told = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    assert base64.urlsafe_b64encode(sign_content(private, signed)).decode().rstrip("=") == told


@pytest.mark.parametrize("prefix", ["whpk_", ""])
def test_a_retired_key_is_published_behind_those_that_sign(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    private = "whsk_" + base64.b64encode(bytes(32)).decode()
    standard = base64.b64encode(base64.urlsafe_b64decode(_X + "=")).decode()
    monkeypatch.setenv("AUTOS_WEBHOOK_SIGNING_KEYS", private)
    # As the JWKS writes it, and as base64 is written elsewhere: one key.
    monkeypatch.setenv("AUTOS_WEBHOOK_RETIRED_KEYS", f"{prefix}{_X}, {prefix}{standard}")
    settings = load(WebhookSigningSettings)
    published = key_set(settings.signing_keys, settings.webhook_retired_keys)["keys"]
    assert [key["kid"] == _THUMBPRINT for key in published] == [False, True]


def test_what_is_no_public_key_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOS_WEBHOOK_RETIRED_KEYS", "whpk_AAAA")
    with pytest.raises(SystemExit):
        load(WebhookSigningSettings)
    assert "AUTOS_WEBHOOK_RETIRED_KEYS: this is not whpk_" in capsys.readouterr().err
