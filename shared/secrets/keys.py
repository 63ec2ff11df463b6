"""Encrypts the secrets that the database keeps (AES-256-GCM), and hashes API keys with a pepper (HMAC-SHA-256).

A stored secret is ``autos:1:KEY_ID:TEXT``: the id of the key that encrypted it, then the base64url of nonce and cipher
text. Whose secret it is goes into the associated data, so a text that is copied to another row does not open there.
The first key encrypts, all of them open, so a new key takes the place of an old one without a gap. A text without the
prefix was stored before there was a key: it is read as it is until ``autos secrets rotate`` has encrypted it.

What encrypts and what hashes are derived from a key by HKDF-SHA-256 (RFC 5869), each with words of its own; so is the
key's id. docs/adr/0042-secrets-at-rest.md says why.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PREFIX: Final = "autos:1:"


class InvalidSecretsKey(ValueError):
    """Not the base64 of 32 bytes. The text says what is wrong, and nothing of the key."""


class SecretUnreadable(ValueError):
    """A stored secret does not open: its key is not set, or it is another row's, or it is damaged."""

    code = "secrets_unreadable"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"a stored secret does not open: AUTOS_SECRETS_KEY has not the key {key_id}, or is another")
        self.key_id = key_id


class Standing(StrEnum):
    """How a stored secret is kept."""

    CURRENT = "current"
    """Encrypted with the first key."""
    OLDER = "older"
    """Encrypted with one of the other keys."""
    PLAIN = "plain"
    """As it was stored before there was a key."""
    UNREADABLE = "unreadable"
    """No key opens it."""


@dataclass(frozen=True)
class _Key:
    key_id: str
    cipher: AESGCM = field(repr=False)
    pepper: bytes = field(repr=False)


@dataclass(frozen=True)
class StoredHash:
    """What is kept of an API key. ``key_id`` None: the SHA-256 itself, without a pepper."""

    value: bytes
    key_id: str | None


class SecretKeys:
    """The keys, the newest first; with none, secrets are stored as they are. Raises InvalidSecretsKey."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = {key.key_id: key for key in map(_parsed, keys)}
        self._first = next(iter(self._keys.values()), None)

    def __bool__(self) -> bool:
        """Whether there is a key to encrypt with."""
        return self._first is not None

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys, the newest first. An id says nothing of its key."""
        return tuple(self._keys)

    def to_store(self, plain: str, about: str) -> str:
        """The text to store: encrypted with the first key, or as it is where there is none.

        It opens only as being ``about`` the same (:mod:`shared.secrets.owners`).
        """
        if self._first is None:
            return plain
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._first.cipher.encrypt(nonce, plain.encode(), about.encode())
        return f"{_PREFIX}{self._first.key_id}:{base64.urlsafe_b64encode(sealed).decode()}"

    def from_store(self, stored: str, about: str) -> str:
        """The secret behind a stored text, encrypted or not. Raises SecretUnreadable."""
        key_id = encrypted_with(stored)
        if key_id is None:
            return stored
        key = self._keys.get(key_id)
        if key is not None:
            try:
                sealed = base64.urlsafe_b64decode(stored[len(_PREFIX) + len(key_id) + 1 :])
                return key.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode()).decode()
            # Too short for a nonce, not base64, changed, or another row's.
            except (binascii.Error, ValueError, InvalidTag):
                pass
        raise SecretUnreadable(key_id)

    def standing(self, stored: str, about: str) -> Standing:
        """How a stored text is kept; it is opened to find that out."""
        try:
            self.from_store(stored, about)
        except SecretUnreadable:
            return Standing.UNREADABLE
        return self.standing_of_key(encrypted_with(stored))

    def standing_of_key(self, key_id: str | None) -> Standing:
        """How something is kept that the key of this id encrypted or hashed."""
        if key_id is None:
            return Standing.PLAIN
        if key_id not in self._keys:
            return Standing.UNREADABLE
        return Standing.CURRENT if self._first is not None and key_id == self._first.key_id else Standing.OLDER

    def hash_to_store(self, digest: bytes) -> StoredHash:
        """What to keep of an API key whose SHA-256 is ``digest``: its HMAC with the pepper of the first key.

        No slow hash: a key has 256 random bits, which nobody guesses, however fast.
        """
        if self._first is None:
            return StoredHash(digest, None)
        return StoredHash(hmac.digest(self._first.pepper, digest, hashlib.sha256), self._first.key_id)

    def hashes(self, digest: bytes) -> tuple[bytes, ...]:
        """Everything that may be kept of an API key whose SHA-256 is ``digest``, without a pepper too."""
        return (*(hmac.digest(key.pepper, digest, hashlib.sha256) for key in self._keys.values()), digest)


def listed_keys(text: str) -> tuple[str, ...]:
    """The keys in a setting or a file, by commas, blanks or lines; none of them is looked at."""
    return tuple(text.replace(",", " ").split())


def encrypted_with(stored: str) -> str | None:
    """The id of the key that encrypted a stored text; None when it is not encrypted.

    Whether it opens is another question: the text may be damaged, or its key may not be set.
    """
    if not stored.startswith(_PREFIX):
        return None
    return stored[len(_PREFIX) :].partition(":")[0]


def _parsed(text: str) -> _Key:
    """A key of the settings, with what is derived from it. Raises InvalidSecretsKey.

    The words given to HKDF are part of the format: other words would be other keys, and nothing that is stored would
    open.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSecretsKey("a key is not base64") from None
    if len(raw) != KEY_BYTES:
        raise InvalidSecretsKey(f"a key has {len(raw)} bytes, not {KEY_BYTES} (openssl rand -base64 32 makes one)")

    def derived(use: str, length: int = KEY_BYTES) -> bytes:
        return HKDF(SHA256(), length, salt=None, info=f"autos secrets 1: {use}".encode()).derive(raw)

    return _Key(derived("key id", 4).hex(), AESGCM(derived("encryption")), derived("pepper of API keys"))
