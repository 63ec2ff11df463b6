"""What travels over the control API: how a case, the source and its tokens shall behave, and what was counted."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
)

from autos.local.pdpj.failures import FailureKind, FailureRule, Target
from autos.local.pdpj.model import ContentKind
from autos.local.pdpj.oddities import OddityKind, OddityRule

MAX_DOCUMENT_BYTES = 2 * 1024**3

Latency = NonNegativeFloat | tuple[NonNegativeFloat, NonNegativeFloat]
"""Seconds before the answer starts, or the ends of a range drawn for each request."""


HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$")]

RetryAfter = NonNegativeFloat | HeaderValue
"""Seconds (RFC 9110 wants whole ones), or a text sent as it stands (an HTTP date, or nonsense)."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Failure(Strict):
    """A failure to play; see :class:`autos.local.pdpj.failures.FailureRule` for the meaning of each field."""

    kind: FailureKind
    on: Target = "document"
    document: int | str = "all"
    times: PositiveInt | None = None
    retry_after: RetryAfter | None = None
    after_bytes: NonNegativeInt | None = None
    content_type: HeaderValue | None = None

    def rule(self) -> FailureRule:
        return FailureRule(
            self.kind, self.on, self.document, self.times, self.retry_after, self.after_bytes, self.content_type
        )


_FIRST_SEEN: Final = {OddityKind.REPLACED: 1}
_LAST_SEEN: Final = {OddityKind.FILE_LATE: 1}


class Oddity(Strict):
    """An odd way of showing the case; see :class:`autos.local.pdpj.oddities.OddityRule` for the meaning of each field.

    Left out, it shows from the first read on and for ever; but a replaced document from the second read on, and a late
    file until then.
    """

    kind: OddityKind
    document: int | str = "all"
    after_reads: NonNegativeInt | None = None
    until_reads: PositiveInt | None = None

    def rule(self) -> OddityRule:
        after = _FIRST_SEEN.get(self.kind, 0) if self.after_reads is None else self.after_reads
        until = _LAST_SEEN.get(self.kind) if self.until_reads is None else self.until_reads
        return OddityRule(self.kind, self.document, after, until)


class ExplicitDocument(Strict):
    """A document with chosen properties; what is left out follows from the case number and the index."""

    document_id: UUID | None = None
    name: str | None = None
    kind: ContentKind | None = None
    size: int | None = Field(default=None, ge=1, le=MAX_DOCUMENT_BYTES)
    served_as: HeaderValue | None = None
    """The Content-Type of the answer, where it shall differ from what the bytes are."""
    secrecy: str | None = None
    described: bool = True
    """False leaves ``arquivo`` out."""


class Growth(Strict):
    """``documents`` more are filed after the case was read ``after_reads`` times."""

    documents: PositiveInt
    after_reads: PositiveInt = 1


class CaseSetting(Strict):
    """How one case behaves. Anything left out follows from the number, as for a case never set."""

    exists: bool = True
    documents: NonNegativeInt | list[ExplicitDocument] | None = None
    size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    """Bytes of each document, or the smallest and the largest."""
    kind: ContentKind | None = None
    degrees: Literal[1, 2] | None = None
    secrecy_level: int | None = Field(default=None, ge=0, le=5)
    """Public unless it is given."""
    sealed_percent: int = Field(default=0, ge=0, le=100)
    """How many of the documents that say nothing of their own are sealed."""
    latency: Latency | None = None
    bytes_per_second: PositiveFloat | None = None
    """Paces each document's body."""
    failures: list[Failure] = Field(default_factory=list)
    oddities: list[Oddity] = Field(default_factory=list)
    grow: Growth | None = None


class SourceSetting(Strict):
    """How the whole source behaves; a case's own latency replaces this one."""

    latency: Latency = 0.0
    concurrency_limit: PositiveInt | None = None
    """More requests than this at once are answered with 429."""
    rate_limit: PositiveFloat | None = None
    """Requests a second, with a burst of one second; more are answered with 429."""
    retry_after: RetryAfter | None = None
    """Retry-After of those 429, and of an outage that has one."""
    outage: FailureKind | None = None
    """Every read of the API fails so."""
    token_outage: FailureKind | None = None
    """Every request of the token endpoint fails so."""


class TokenSetting(Strict):
    """How the token endpoint behaves."""

    expires_in: PositiveInt = 300
    """Seconds."""
    refresh_expires_in: PositiveInt = 1800
    """Seconds."""
    client_id: str | None = None
    client_secret: str | None = None
    """With an id or a secret set, other credentials are refused."""
    rotate: bool = True
    """A refresh token works once; a second use ends the session, as Keycloak with "revoke refresh token" does."""
    refresh_with_client_credentials: bool = False
    """Whether client_credentials gives a refresh token (Keycloak: off unless configured)."""
    lock_after: PositiveInt | None = None
    """Refused log-ins in a row after which the account is locked, until reset. None: never."""
    latency: NonNegativeFloat = 0.0
    """Seconds before the token endpoint answers."""


class IssuedTokens(Strict):
    """A session made by the control API. Lifetimes in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class Revocation(Strict):
    """Which tokens shall end: the access tokens, and with ``refresh`` every session too."""

    refresh: bool = False


class AllowedTokens(Strict):
    """Tokens from elsewhere (the settings of a test) that shall be valid; they do not expire, but can be revoked."""

    access_tokens: list[str] = Field(default_factory=list)
    refresh_tokens: list[str] = Field(default_factory=list)


class ExpectedDocument(Strict):
    """What a correct copy of a document looks like; ``sha256`` is None when hashes were not asked for."""

    index: int
    document_id: str
    source_id: str
    """The id that the source shows: ``document_id`` but for an oddity."""
    filing_id: str
    """Two documents of one filing share it, and have the same bytes."""
    name: str
    size: int
    content_type: str
    """What the portal's answer says; of the data lake what the bytes are."""
    sha256: str | None
    rendition: Literal["binary", "text"] = "binary"
    """``text``: the source has its text alone, and size and sum are those of the text."""


class ExpectedCase(Strict):
    """What a correct copy of a case holds, in the order of filing."""

    process_number: str
    exists: bool
    documents: list[ExpectedDocument]


class Switch(Strict):
    """One thing that can be switched on for a case."""

    name: str
    set_in: Literal["failures", "oddities"]
    about: str
    """What it can be set for."""
    line: str
    """What the source does then."""


class CaseSummary(Strict):
    """The answer to a case being set."""

    process_number: str
    exists: bool
    documents: int


class CaseCounters(Strict):
    """Requests of one case: reads of the case, and of each document's content."""

    case_requests: int = 0
    document_requests: dict[str, int] = Field(default_factory=dict)
    in_flight: int = 0
    max_in_flight: int = 0
    """Most documents of this case that were being served at once."""


class Metrics(Strict):
    """What the source was asked since its start or the last reset; the control API itself is not counted."""

    requests_total: int
    by_route: dict[str, int]
    by_status: dict[str, int]
    """By status code; ``reset``, ``hang`` and ``malformed`` for requests that got no answer, or none in HTTP."""
    by_failure: dict[str, int]
    in_flight: int
    max_in_flight: int
    token_requests: int
    refused_logins: int
    account_locked: bool
    bytes_sent: int
    by_case: dict[str, CaseCounters]
