"""API keys, what each may do, and webhook secrets: how they are made and hashed.

A key is ``autos_sk_`` and 43 characters of base64url (256 random bits). It is shown once; the database has its
SHA-256, which is enough for a secret of that entropy. Webhook secrets follow Standard Webhooks (``whsec_``).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from enum import StrEnum
from typing import Final

KEY_PREFIX: Final = "autos_sk_"


class Scope(StrEnum):
    """What a key may do; a key has any number of these. docs/reference/http-api.md names the scope of each route."""

    READ = "read"
    """See the cases that its client has asked for, and their documents."""
    DOWNLOAD = "download"
    """Start downloads, and cancel them."""
    WEBHOOKS = "webhooks"
    """Have webhooks called, and see and change their secret, deliveries and endpoints."""
    SEALED = "sealed"
    """Ask for what is above PUBLICO, or of unknown secrecy, and see it."""
    ADMIN = "admin"
    """Everything: this scope has all the others."""


def new_api_key() -> str:
    """A fresh random key."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def new_webhook_secret() -> str:
    """A fresh Standard Webhooks secret: ``whsec_`` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def hash_key(key: str) -> bytes:
    """What the database keeps of a key: its SHA-256, 32 bytes."""
    return hashlib.sha256(key.encode()).digest()
