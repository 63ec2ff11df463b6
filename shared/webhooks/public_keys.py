"""The public halves of the keys that sign webhooks and manifests, as a JSON Web Key Set (RFC 7517; OKP of RFC 8037)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from shared.webhooks.signing import public_key, read_public_key


def _url_safe(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def key_set(private_keys: Sequence[str], retired: Sequence[str] = ()) -> dict[str, Any]:
    """The JWKS of some ``whsk_`` keys, in their order, and of ``retired`` ones (``whpk_``) behind them.

    ``kid`` is the thumbprint (RFC 7638). Raises InvalidSecret.
    """
    raw = [*map(public_key, private_keys), *map(read_public_key, retired)]
    return {"keys": [_jwk(key) for key in dict.fromkeys(raw)]}


def jwk_of(private_key: str) -> dict[str, Any]:
    """The public half of a ``whsk_`` key as a JWK. Raises InvalidSecret."""
    return _jwk(public_key(private_key))


def _jwk(raw: bytes) -> dict[str, Any]:
    needed = {"crv": "Ed25519", "kty": "OKP", "x": _url_safe(raw)}
    # RFC 7638, section 3: the required members in the order of their names, without spaces.
    thumbprint = hashlib.sha256(orjson.dumps(needed)).digest()
    return {**needed, "kid": _url_safe(thumbprint), "use": "sig", "alg": "EdDSA"}
