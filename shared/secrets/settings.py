"""The settings of the keys that encrypt what the database keeps of secrets."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import SecretStr, field_validator

from shared.secrets.keys import InvalidSecretsKey, SecretKeys, listed_keys
from shared.settings import AutosSettings


class SecretsSettings(AutosSettings):
    """Which keys encrypt webhook secrets, headers of endpoints and tokens of the source, and pepper API keys."""

    secrets_key: SecretStr | None = None
    """Keys of 32 bytes in base64, by commas: the first encrypts, all of them open. Without one, secrets are stored as
    they are, and each start says so."""
    secrets_key_file: Path | None = None
    """A file of such keys, by commas or lines. They stand behind those of AUTOS_SECRETS_KEY."""

    @field_validator("secrets_key")
    @classmethod
    def _can_encrypt(cls, keys: SecretStr | None) -> SecretStr | None:
        _checked(listed_keys(keys.get_secret_value()) if keys is not None else ())
        return keys

    @field_validator("secrets_key_file")
    @classmethod
    def _has_keys(cls, path: Path | None) -> Path | None:
        if path is not None and not _checked(_read(path)):
            raise ValueError("the file has no key")
        return path

    @cached_property
    def secret_keys(self) -> SecretKeys:
        """The keys; none where none is set."""
        own = listed_keys(self.secrets_key.get_secret_value()) if self.secrets_key is not None else ()
        return SecretKeys([*own, *(_read(self.secrets_key_file) if self.secrets_key_file is not None else ())])


def _read(path: Path) -> tuple[str, ...]:
    """The keys in a file. Raises ValueError, whose text says nothing of what is in it."""
    try:
        return listed_keys(path.read_text())
    except (OSError, UnicodeDecodeError):
        raise ValueError("the file cannot be read as text") from None


def _checked(keys: tuple[str, ...]) -> SecretKeys:
    """The keys, if each is one. Raises ValueError, as pydantic wants it."""
    try:
        return SecretKeys(keys)
    except InvalidSecretsKey as error:
        raise ValueError(str(error)) from None
