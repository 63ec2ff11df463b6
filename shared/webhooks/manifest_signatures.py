"""Detached JSON Web Signatures over manifests (RFC 7515, appendix F) with the Ed25519 keys of webhooks (RFC 8037).

The same key signs webhooks and manifests, and neither can be taken for the other: what is signed here begins with the
base64url of a JSON object (``eyJ``) and has one point, what a webhook's signature is of begins with a UUID, which has
no ``y``, and has two or more (docs/adr/0044-signed-manifests.md).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

import orjson

from shared.webhooks.public_keys import jwk_of
from shared.webhooks.signing import sign_content

_TYPE: Final = "autos-manifest+json"
"""``typ`` of the JWS (RFC 8725, section 3.11): it is a manifest and no other token."""
_MULTIPLE_OF_3: Final = 3 * 256 * 1024


class ManifestSigner:
    """Signs with the first of some ``whsk_`` keys; without a key manifests have no signature."""

    def __init__(self, private_keys: Sequence[str]) -> None:
        self._key = private_keys[0] if private_keys else None
        jwk = jwk_of(self._key) if self._key is not None else {}
        self.key_id: str | None = jwk.get("kid")
        """The key's thumbprint (RFC 7638), as the JWKS names it; None without a key."""
        embedded = {name: jwk[name] for name in ("crv", "kty", "x") if name in jwk}
        head = {"alg": "EdDSA", "jwk": embedded, "kid": self.key_id, "typ": _TYPE}
        self._head = _url_safe(orjson.dumps(head, option=orjson.OPT_SORT_KEYS))

    def sign(self, content: bytes | bytearray) -> str | None:
        """``header..signature``, the payload between the points left out; None without a key.

        The input of Ed25519 is whole in memory while this runs: four thirds of ``content``.
        """
        if self._key is None:
            return None
        signed = bytearray(self._head)
        signed += b"."
        with memoryview(content) as view:
            for start in range(0, len(view), _MULTIPLE_OF_3):
                signed += _url_safe(view[start : start + _MULTIPLE_OF_3])
        return (self._head + b".." + _url_safe(sign_content(self._key, signed))).decode()


def _url_safe(raw: bytes | memoryview) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
