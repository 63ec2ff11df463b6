"""The signature of a manifest: a detached JWS (RFC 7515, appendix F) by an Ed25519 key (RFC 8037)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from autos.verification.manifest import Manifest, Unreadable, canonical, shown

_TYPE: Final = "autos-manifest+json"
_MOST_KEYS: Final = 1_000


class Verdict(Enum):
    """What a signature is worth."""

    TRUSTED = "trusted"
    """It holds, by a key that whoever checks has named."""
    EMBEDDED = "embedded"
    """It holds, by the key that came with the manifest: whoever changed one could have made the other."""
    UNKNOWN_KEY = "unknown_key"
    """It is by none of the keys that whoever checks has named."""
    INVALID = "invalid"
    UNSIGNED = "unsigned"


@dataclass(frozen=True)
class Trust:
    """Whom to believe: keys by their thumbprints (RFC 7638). Without any, the key in the manifest is used."""

    keys: Mapping[str, bytes] = field(default_factory=dict)
    """The 32 bytes of each."""
    key_ids: frozenset[str] = frozenset()
    """Thumbprints that are believed although the key itself comes with the manifest."""
    given: bool = False
    """Whether somebody named keys at all, were it none."""


@dataclass(frozen=True)
class Signature:
    """``key_id`` is the thumbprint of the key that signed, computed and not believed; None where there is none."""

    verdict: Verdict
    key_id: str | None
    words: str

    @property
    def holds(self) -> bool:
        """Whether the manifest is as it was signed."""
        return self.verdict in (Verdict.TRUSTED, Verdict.EMBEDDED)


def read_key_set(raw: bytes) -> dict[str, bytes]:
    """The Ed25519 keys of a JWKS by their thumbprints; others are left out. Raises Unreadable."""
    try:
        found = json.loads(raw)["keys"]
        keys = [_public(key) for key in found if isinstance(key, dict) and key.get("crv") == "Ed25519"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable('it is no JWKS, as GET /.well-known/webhook-keys.json answers one: {"keys": [...]}') from None
    if not keys or len(keys) > _MOST_KEYS:
        raise Unreadable("the JWKS has no Ed25519 key" if not keys else f"a JWKS has at most {_MOST_KEYS} keys")
    return {thumbprint(key): key for key in keys}


def thumbprint(key: bytes) -> str:
    """The thumbprint of an Ed25519 key (RFC 7638; RFC 8037, section 2)."""
    needed = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": _encoded(key)}, separators=(",", ":"))
    return _encoded(hashlib.sha256(needed.encode()).digest())


def check_signature(manifest: Manifest, trust: Trust) -> Signature:
    """What the manifest's signature is worth."""
    told = manifest.content.get("signature")
    if told is None:
        return Signature(Verdict.UNSIGNED, None, "the manifest is not signed: whoever changes a file can change it too")
    try:
        head, raw, signature = _parts(told)
        embedded = _public(head["jwk"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Signature(Verdict.INVALID, None, "the signature is no detached JWS of a manifest")
    key_id = thumbprint(embedded)
    payload = canonical({name: value for name, value in manifest.content.items() if name != "signature"})
    try:
        Ed25519PublicKey.from_public_bytes(embedded).verify(signature, raw + b"." + _encoded(payload).encode())
    except (InvalidSignature, ValueError):
        return Signature(Verdict.INVALID, key_id, "the manifest was changed after it was signed, or never signed so")
    if head.get("kid") != key_id or manifest.content.get("key_id") != key_id:
        return Signature(Verdict.INVALID, key_id, "the manifest names another key than the one that signed it")
    return _judged(key_id, trust)


def _judged(key_id: str, trust: Trust) -> Signature:
    if key_id in trust.keys or key_id in trust.key_ids:
        return Signature(Verdict.TRUSTED, key_id, f"valid, by the key {key_id}, which you named")
    if trust.given:
        return Signature(Verdict.UNKNOWN_KEY, key_id, f"by the key {key_id}, which is none of those that you named")
    return Signature(
        Verdict.EMBEDDED,
        key_id,
        f"valid, by the key {key_id}, which came with the manifest. This alone proves nothing about who made it: "
        "anybody can make a key. Compare it with the sender's (--jwks or --key-id)",
    )


def _parts(told: Any) -> tuple[dict[str, Any], bytes, bytes]:
    """Header, its encoded form, and the signature. Raises ValueError, KeyError and TypeError."""
    if not isinstance(told, str):
        raise TypeError("no text")
    encoded, payload, signature = told.split(".")
    head = json.loads(_decoded(encoded))
    if payload or head["alg"] not in ("EdDSA", "Ed25519") or head["typ"] != _TYPE or "crit" in head or "b64" in head:
        raise ValueError(shown(str(told)))
    return head, encoded.encode("ascii"), _decoded(signature)


def _public(jwk: Any) -> bytes:
    """The 32 bytes of a JWK. Raises ValueError, KeyError and TypeError."""
    if jwk["kty"] != "OKP" or jwk["crv"] != "Ed25519" or len(key := _decoded(jwk["x"])) != 32:
        raise ValueError("no Ed25519 key")
    return key


def _decoded(text: str) -> bytes:
    """Base64url without padding, in its one form. Raises ValueError and TypeError."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encoded(raw) != text:
        raise ValueError("not base64url")
    return raw


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
