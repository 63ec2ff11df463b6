"""Seals what a client gives us for its receiver alone (AES-256-GCM), as before there was AUTOS_SECRETS_KEY.

Where that is set, headers are kept as every other secret (shared/secrets), and what was sealed before still opens here.

Bound to what it belongs to: sealed bytes that were copied to another row do not open there. The first key seals, all of
them open, so that a new key takes the place of an old one without a gap (docs/operations.md, "Keys and secrets").
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
SEALED_VERSION: Final = b"\x01"
"""What sealed bytes begin with."""


class InvalidSealingKey(ValueError):
    """Not the base64 of 32 bytes."""


class NotOpened(ValueError):
    """None of the keys opens this: it was sealed with another one, or is about something else."""


def _key(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSealingKey("not base64") from error
    if len(raw) != KEY_BYTES:
        raise InvalidSealingKey(f"{len(raw)} bytes, not {KEY_BYTES}")
    return raw


class SealingKeys:
    """The keys, the newest first. Raises InvalidSealingKey."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._ciphers = [AESGCM(_key(text)) for text in keys]

    def __bool__(self) -> bool:
        """Whether there is a key to seal with."""
        return bool(self._ciphers)

    def seal(self, plain: bytes, about: str) -> bytes:
        """``plain`` sealed; it opens only as being ``about`` the same. Raises IndexError without a key."""
        nonce = os.urandom(_NONCE_BYTES)
        return SEALED_VERSION + nonce + self._ciphers[0].encrypt(nonce, plain, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """What was sealed. Raises NotOpened."""
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] == SEALED_VERSION and len(nonce) == _NONCE_BYTES:
            for cipher in self._ciphers:
                try:
                    return cipher.decrypt(nonce, rest, about.encode())
                except InvalidTag:
                    continue
        raise NotOpened("no key opens it")
