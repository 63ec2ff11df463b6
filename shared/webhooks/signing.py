"""Standard Webhooks signatures: ``v1`` (HMAC-SHA256) with every secret that holds, and ``v1a`` (Ed25519).

What is signed is ``{webhook-id}.{webhook-timestamp}.{body}``, the timestamp in whole seconds of the epoch
(Standard Webhooks 1.0, "Signature scheme").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_PREFIX: Final = "whsec_"  # noqa: S105
PRIVATE_KEY_PREFIX: Final = "whsk_"
PUBLIC_KEY_PREFIX: Final = "whpk_"
_STANDARD: Final = str.maketrans("-_", "+/")


class InvalidSecret(ValueError):
    """A secret is not ``whsec_`` and base64, or a key not ``whsk_`` and the base64 of an Ed25519 private key."""


def _decode(text: str, prefix: str) -> bytes:
    try:
        raw = base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecret("not base64") from error
    if not raw:
        raise InvalidSecret("empty")
    return raw


def _content(webhook_id: str, timestamp: datetime, body: bytes) -> bytes:
    return b"%b.%d.%b" % (webhook_id.encode(), int(timestamp.timestamp()), body)


def sign(secret: str, webhook_id: str, timestamp: datetime, body: bytes) -> str:
    """``v1,`` and the base64 of the HMAC. Raises InvalidSecret."""
    key = _decode(secret, SECRET_PREFIX)
    digest = hmac.digest(key, _content(webhook_id, timestamp, body), hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def sign_ed25519(private_key: str, webhook_id: str, timestamp: datetime, body: bytes) -> str:
    """``v1a,`` and the base64 of the Ed25519 signature. Raises InvalidSecret."""
    key = _private_key(private_key)
    return "v1a," + base64.b64encode(key.sign(_content(webhook_id, timestamp, body))).decode()


def sign_content(private_key: str, content: bytes | bytearray) -> bytes:
    """The Ed25519 signature of something that is no webhook, 64 bytes. Raises InvalidSecret."""
    return _private_key(private_key).sign(content)


def public_key(private_key: str) -> bytes:
    """The 32 bytes that verify what ``private_key`` signs. Raises InvalidSecret."""
    return _private_key(private_key).public_key().public_bytes_raw()


def read_public_key(text: str) -> bytes:
    """The 32 bytes of ``whpk_`` and a public key in base64 or base64url, padded or not. Raises InvalidSecret."""
    standard = text.removeprefix(PUBLIC_KEY_PREFIX).translate(_STANDARD).rstrip("=")
    raw = _decode(standard + "=" * (-len(standard) % 4), "")
    if len(raw) != 32:
        raise InvalidSecret("not an Ed25519 public key")
    return raw


# A process signs with the few keys of its settings.
@lru_cache(maxsize=16)
def _private_key(text: str) -> Ed25519PrivateKey:
    raw = _decode(text, PRIVATE_KEY_PREFIX)
    try:
        # Others write the seed alone, or seed and public key after another.
        return Ed25519PrivateKey.from_private_bytes(raw[:32] if len(raw) == 64 else raw)
    except ValueError as error:
        raise InvalidSecret("not an Ed25519 private key") from error


def signature_headers(
    secrets: Sequence[str],
    webhook_id: str,
    timestamp: datetime,
    body: bytes,
    attempt: int,
    *,
    private_keys: Sequence[str] = (),
) -> dict[str, str]:
    """The headers of one attempt, by lower-case name; ``attempt`` counts from 1.

    One signature for each secret, newest first, and one for each private key, separated by spaces: a receiver takes the
    message when any of them fits (docs/reference/webhooks.md, "Signatures").

    Raises InvalidSecret, and ValueError when there is no secret at all.
    """
    if not secrets:
        raise ValueError("no secret to sign with")
    signatures = [sign(secret, webhook_id, timestamp, body) for secret in secrets]
    signatures += [sign_ed25519(key, webhook_id, timestamp, body) for key in private_keys]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(timestamp.timestamp())),
        "webhook-signature": " ".join(signatures),
        "webhook-attempt": str(attempt),
    }
