"""Signatures: the published vector, the standardwebhooks package, rotation and Ed25519."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shared.settings import load
from shared.webhooks.settings import WebhookSigningSettings
from shared.webhooks.signing import InvalidSecret, sign, sign_ed25519, signature_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_the_published_vector_is_reproduced() -> None:
    signature = sign(
        SECRET,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector_of_v1a_is_reproduced() -> None:
    """The one of the reference libraries (standard-webhooks, Go), whose keys are written without a prefix too."""
    key = "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
    for written in (key, f"whsk_{key}"):
        signature = sign_ed25519(
            written,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            datetime.fromtimestamp(1614265330, UTC),
            b'{"test": 2432232314}',
        )
        assert signature == (
            "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
        )


@given(st.binary(min_size=1, max_size=64), st.text(alphabet="abc-0123", min_size=1), st.text(max_size=200))
def test_the_standardwebhooks_package_verifies_any_body(key: bytes, webhook_id: str, text: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    now = datetime.now(UTC)
    body = f'{{"text": {text!r}}}'.encode()
    headers = signature_headers([secret], webhook_id, now, body, 1)
    assert headers["webhook-signature"] == Webhook(secret).sign(webhook_id, now, body.decode())


def test_each_secret_of_a_rotation_verifies() -> None:
    body = b'{"type": "process.completed"}'
    headers = signature_headers([SECRET, OTHER], "d-1", datetime.now(UTC), body, 3)
    assert headers["webhook-attempt"] == "3"
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(body, headers) == {"type": "process.completed"}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"x" * 24).decode()).verify(body, headers)


def test_ed25519_is_signed_beside() -> None:
    key = Ed25519PrivateKey.generate()
    private = "whsk_" + base64.b64encode(key.private_bytes_raw()).decode()
    now = datetime.now(UTC)
    headers = signature_headers([SECRET], "d-1", now, b"{}", 1, private_keys=[private])
    v1, v1a = headers["webhook-signature"].split(" ")
    assert v1.startswith("v1,")
    assert v1a.startswith("v1a,")
    signed = f"d-1.{int(now.timestamp())}.{{}}".encode()
    key.public_key().verify(base64.b64decode(v1a.removeprefix("v1a,")), signed)
    with pytest.raises(InvalidSignature):
        key.public_key().verify(base64.b64decode(v1a.removeprefix("v1a,")), signed + b" ")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", "whsec_é"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(InvalidSecret):
        sign(secret, "d-1", datetime.now(UTC), b"{}")


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="no secret"):
        signature_headers([], "d-1", datetime.now(UTC), b"{}", 1)


def test_a_key_that_cannot_sign_ends_the_start_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = "whsk_" + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
    monkeypatch.setenv("AUTOS_WEBHOOK_SIGNING_PRIVATE_KEY", good)
    assert load(WebhookSigningSettings).signing_keys == (good,)
    for wrong in ("whsk_c2hvcnQ=", "whsk_not base64", "-----BEGIN PRIVATE KEY-----"):
        monkeypatch.setenv("AUTOS_WEBHOOK_SIGNING_PRIVATE_KEY", wrong)
        with pytest.raises(SystemExit):
            load(WebhookSigningSettings)
        told = capsys.readouterr().err
        assert told.startswith("wrong settings: AUTOS_WEBHOOK_SIGNING_PRIVATE_KEY")
        assert wrong not in told
