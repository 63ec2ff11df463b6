"""The settings of PDPJ: its address, our credentials, time-outs and bounds (AUTOS_PDPJ_*)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.secrets.settings import SecretsSettings
from shared.settings import base_address
from sources.pdpj.parse.bounds import CaseLimits
from sources.pdpj.wire.request_headers import Fields, checked_fields, checked_value, default_user_agent


class Api(StrEnum):
    """Which of the source's two APIs is read."""

    PORTAL = "portal"
    DATA_LAKE = "datalake"


class TokenGrant(StrEnum):
    """How tokens are obtained: the first of these that the settings allow."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of an OAuth 2 grant
    FIXED = "fixed"
    CLIENT_CREDENTIALS = "client_credentials"


class PdpjSettings(SecretsSettings):
    """The source. Times are seconds, sizes bytes."""

    pdpj_base_url: str
    """Scheme, host and path before ``/api/v2`` (portal) or ``/processo-api`` (data lake)."""
    pdpj_api: Api = Api.PORTAL
    """Which of the two interfaces is read."""
    pdpj_token_url: str | None = None
    """The token endpoint of the log-in server; not needed with AUTOS_PDPJ_ACCESS_TOKEN alone."""
    pdpj_client_id: str | None = None
    """The client id for the token endpoint."""
    pdpj_client_secret: SecretStr | None = None
    """The secret of that client; unset for a public client."""
    pdpj_access_token: SecretStr | None = None
    """A token to be used as it is, until it ends. A refresh token, where there is one, comes first."""
    pdpj_refresh_token: SecretStr | None = None
    """The first one; each use gives the next, which is kept in the database."""

    pdpj_user_agent: str = Field(default_factory=default_user_agent)
    """Sent with each request to the source; by default it says who we are."""
    pdpj_headers: dict[str, SecretStr] = Field(default_factory=dict)
    """JSON object of further header fields, sent to the source alone. A value may be a secret: it is never shown."""
    pdpj_pool_size: int = Field(256, ge=1, le=10_000)
    """Connections kept for the next request. How many requests are open at once is AUTOS_SOURCE_CONCURRENCY."""
    pdpj_http2: bool = False
    """Offer HTTP/2 to the source. One lost connection then takes every download on it along."""

    pdpj_forbidden_seconds: float = Field(600.0, gt=0, le=86_400)
    """Seconds of nothing but a firewall's 403, until an alert is sent and the service counts as degraded."""

    pdpj_connect_timeout: float = Field(10.0, gt=0, le=120)
    """Seconds for a connection, TLS included."""
    pdpj_read_timeout: float = Field(60.0, gt=0, le=600)
    """Seconds from one piece of an answer to the next. There is no limit on a whole document."""
    pdpj_min_bytes_per_second: int = Field(1024, ge=0)
    """A body that comes more slowly than this, over a read timeout or longer, is given up. 0: no such rule."""
    pdpj_max_document_bytes: int = Field(4 * 1024**3, ge=1024)
    """Bytes of one document; a larger one has failed with ``document_too_large``."""
    pdpj_max_metadata_bytes: int = Field(128 * 1024**2, ge=1024)
    """Bytes of one answer about a case; a larger one ends the job with ``case_too_large``."""

    case_max_documents: int = Field(100_000, ge=1, le=1_000_000)
    """The first listed are kept. What is left out, here and by the four that follow, is counted in the case's views."""
    case_max_movements: int = Field(20_000, ge=1, le=1_000_000)
    """The newest are kept."""
    case_max_parties: int = Field(5_000, ge=1, le=100_000)
    """The first listed are kept."""
    case_max_subjects: int = Field(200, ge=1, le=1_000)
    """The first listed are kept."""
    case_max_representatives: int = Field(50, ge=1, le=1_000)
    """Representatives of one party; the first listed are kept."""
    case_memory_bytes: int = Field(2 * 1024**3, ge=256 * 1024**2)
    """Bytes of memory for the process that reads a large answer about a case."""

    @field_validator("pdpj_base_url", "pdpj_token_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return None if value is None else base_address(value)

    @field_validator("pdpj_access_token", "pdpj_refresh_token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            return None  # an empty variable, as Compose passes it
        if value is not None and not _is_header_safe(value.get_secret_value()):
            raise ValueError("must be one word of visible ASCII characters")
        return value

    @field_validator("pdpj_user_agent")
    @classmethod
    def _user_agent(cls, value: str) -> str:
        return checked_value(value)

    @field_validator("pdpj_headers")
    @classmethod
    def _headers(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        checked_fields({name: field.get_secret_value() for name, field in value.items()})
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.pdpj_refresh_token is not None or self.pdpj_access_token is None:
            needs = "AUTOS_PDPJ_REFRESH_TOKEN" if self.pdpj_refresh_token is not None else "no AUTOS_PDPJ_ACCESS_TOKEN"
            if self.pdpj_token_url is None:
                raise ValueError(f"AUTOS_PDPJ_TOKEN_URL is needed with {needs}")
            if not self.pdpj_client_id:
                raise ValueError(f"AUTOS_PDPJ_CLIENT_ID is needed with {needs}")
        return self

    @property
    def added_fields(self) -> Fields:
        """AUTOS_PDPJ_HEADERS as they are sent."""
        return checked_fields({name: field.get_secret_value() for name, field in self.pdpj_headers.items()})

    @property
    def case_limits(self) -> CaseLimits:
        """What is kept of one case at most."""
        return CaseLimits(
            documents=self.case_max_documents,
            movements=self.case_max_movements,
            parties=self.case_max_parties,
            subjects=self.case_max_subjects,
            representatives=self.case_max_representatives,
        )

    @property
    def pdpj_grant(self) -> TokenGrant:
        """How tokens are obtained with these settings."""
        if self.pdpj_refresh_token is not None:
            return TokenGrant.REFRESH_TOKEN
        return TokenGrant.FIXED if self.pdpj_access_token is not None else TokenGrant.CLIENT_CREDENTIALS


def _is_header_safe(token: str) -> bool:
    return all("!" <= char <= "~" for char in token)
