"""Everything that can go wrong with the source, as one short tree (docs/reference/pdpj.md, "What each answer means").

* SourceError
  + PermanentError            PERMANENT: the job does not try it again
    - ProcessNotFound         process_not_found
    - DocumentNotFound        document_not_found
    - NoAddress               no_address
    - NoAccess                no_access
    - DocumentTooLarge        document_too_large
    - CaseTooLarge            case_too_large
  + RetryableError            RETRY: an answer about this document or case; it costs an attempt
    - SourceServerError       source_error
    - ShortBody               short_body
    - EmptyBody               empty_body
    - NotADocument            not_a_document
    - Doubtful                doubtful_content
    - NotReady                not_ready
    - SourceRoute             source_route
    - TokenRejected           token_rejected
    - UnknownSource           unknown_source
    - UnexpectedAnswer        unexpected_answer
      · CaseUnreadable        case_unreadable
      · MalformedAnswer       unexpected_answer
  + SourceAway                SOURCE_AWAY: perhaps about the source; wait, burn no attempt before that is known
    - SourceUnavailable       source_unavailable
      · SourceTimeout         source_unavailable
      · SourceForbidden       source_unavailable
    - SourceThrottled         source_throttled
    - CredentialsRefused      credentials_refused

Messages are ours: no body of an answer, no token, no name of a party or a document is ever put into one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final


class Verdict(StrEnum):
    """What a caller does about an error."""

    PERMANENT = "permanent"
    """Fail now; this job does not ask again. Whether later jobs do is said by FINAL_CODES."""
    RETRY = "retry"
    """Ask again later; count the attempt."""
    SOURCE_AWAY = "source_away"
    """Hold the work until the source is back; count nothing."""


class SourceError(Exception):
    """Base of all errors of the source.

    ``code`` is stable and snake_case, ``message`` is for people, ``retry_after`` is the wait in seconds that the
    source (or the credentials' breaker) asked for, if any.
    """

    verdict: ClassVar[Verdict] = Verdict.RETRY

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after


class _Coded(SourceError):
    """An error whose code follows from its class."""

    CODE: ClassVar[str]
    MESSAGE: ClassVar[str]

    def __init__(self, message: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(self.CODE, message or self.MESSAGE, retry_after)


class PermanentError(_Coded):
    """Base of the errors that end the attempts of this job: fail the work and say why."""

    verdict = Verdict.PERMANENT


class ProcessNotFound(PermanentError):
    """Raised when the source does not know the case (404, ``[]``, ``{"content": []}``). Tell the client: 404."""

    CODE = "process_not_found"
    MESSAGE = "the source does not know this process"


class DocumentNotFound(PermanentError):
    """Raised when the source does not have this document (404, or an empty list in its place).

    Fail the document now; a case that lists it is asked for it again on refresh: it may have been filed a moment ago.
    """

    CODE = "document_not_found"
    MESSAGE = "the source does not have this document"


class NoAccess(PermanentError):
    """Raised for a 401 or 403 that says "não possui acesso": the account has no standing in the case.

    Fail the work; a new token would change nothing, so none is asked for.
    """

    CODE = "no_access"
    MESSAGE = "the account has no access to this process or document"


class NoAddress(PermanentError):
    """Raised for a document that the source lists without an address, or with one that cannot be a document's.

    Fail the document; a later listing may have its address.
    """

    CODE = "no_address"
    MESSAGE = "the source lists this document without an address"


class DocumentTooLarge(PermanentError):
    """Raised when a body is promised or grows larger than AUTOS_PDPJ_MAX_DOCUMENT_BYTES. Fail the document."""

    CODE = "document_too_large"
    MESSAGE = "the document is larger than allowed"


class CaseTooLarge(PermanentError):
    """Raised when an answer about a case grows larger than AUTOS_PDPJ_MAX_METADATA_BYTES, or takes more memory or time
    to read than one case may. Fail the job; the same answer would come again.
    """

    CODE = "case_too_large"
    MESSAGE = "what the source answers about the case is larger than allowed"


class RetryableError(_Coded):
    """Base of an answer about this document or case that can be different next time: count it and ask later."""

    verdict = Verdict.RETRY


class SourceServerError(RetryableError):
    """Raised for a 500: the source failed on this very document (often it lacks a permission). Retry, then fail."""

    CODE = "source_error"
    MESSAGE = "the source failed on this request"


class ShortBody(RetryableError):
    """Raised when a body ended before its promised length. Throw away what came and retry."""

    CODE = "short_body"
    MESSAGE = "the answer ended before its promised length"


class EmptyBody(RetryableError):
    """Raised when a document has no bytes at all. Retry; an empty document is never available."""

    CODE = "empty_body"
    MESSAGE = "the source answered an empty document"


class NotADocument(RetryableError):
    """Raised when a page came in place of a document: the portal's shell, a firewall's, a log-in, a maintenance page.

    Never store what came; retry (a deploy serves the shell for minutes), then fail.
    """

    CODE = "not_a_document"
    MESSAGE = "the source answered a page that is not the document"


class Doubtful(RetryableError):
    """Raised while attempts are left for a document of another type than listed, or a PDF without its end.

    The last attempt keeps what comes, with a warning.
    """

    CODE = "doubtful_content"
    MESSAGE = "the document is not what the case lists"


class NotReady(RetryableError):
    """Raised for a 202: the source is still fetching the file. Ask again after ``retry_after``."""

    CODE = "not_ready"
    MESSAGE = "the source is still preparing this document"


class SourceRoute(RetryableError):
    """Raised for a 404 that a gateway answers: the address is wrong, not the case or the document absent.

    Retry, then fail. Many of these mean that AUTOS_PDPJ_BASE_URL or AUTOS_PDPJ_API is set wrong.
    """

    CODE = "source_route"
    MESSAGE = "the source has no such route: a gateway answered 404, not the platform"


class TokenRejected(RetryableError):
    """Raised when this request gets a 401 with a token that the source takes elsewhere. Retry, then fail."""

    CODE = "token_rejected"
    MESSAGE = "the source rejects a valid token for this request"


class UnknownSource(RetryableError):
    """Raised for a document that was listed by a source that this process does not read from (AUTOS_SOURCES).

    Retry, then fail; reading the case again lists it where its court's cases are read from now.
    """

    CODE = "unknown_source"
    MESSAGE = "the source that listed this document is not set"


class UnexpectedAnswer(RetryableError):
    """Raised for an answer that fits no row of the table: a redirect, JSON of another shape, an odd status.

    Retry, then fail. Many of these at once mean that the source changed, or that its address is set wrong.
    """

    CODE = "unexpected_answer"
    MESSAGE = "the source gave an answer that was not understood"


class CaseUnreadable(UnexpectedAnswer):
    """Raised when an answer about a case cannot be read: no JSON, or nested too deeply. Retry, then fail the job."""

    CODE = "case_unreadable"
    MESSAGE = "what the source answers about the case cannot be read"


class MalformedAnswer(UnexpectedAnswer):
    """Raised when the head of an answer is not HTTP: two different lengths, a garbled status line or header.

    Something answered, so it says nothing of the source. As its base.
    """

    MESSAGE = "the source's answer is not well-formed HTTP"


class SourceAway(_Coded):
    """Base of what may be about the source and not about the document: wait for ``retry_after``, burn no attempt.

    One request alone cannot tell which it is about; the gate finds out (docs/adr/0016-outage-or-bad-case.md).
    """

    verdict = Verdict.SOURCE_AWAY


class SourceUnavailable(SourceAway):
    """Raised for 502, 503, 504, a refused or reset connection, and the firewall's 403 page. Hold and try later."""

    CODE = "source_unavailable"
    MESSAGE = "the source is not available"


class SourceTimeout(SourceUnavailable):
    """Raised when the source does not connect, answer or go on in time. As its base; it also says: ask for less."""

    MESSAGE = "the source did not answer in time"


class SourceForbidden(SourceUnavailable):
    """Raised for a 403 that is not the platform's: a firewall before it. As its base.

    Nothing but these for AUTOS_PDPJ_FORBIDDEN_SECONDS is ``source_forbidden``, which a person is told of.
    """

    MESSAGE = "a firewall before the source refused the request"


class SourceThrottled(SourceAway):
    """Raised for a 429: every worker stops asking for ``retry_after`` seconds (None: a pause of one's own choice)."""

    CODE = "source_throttled"
    MESSAGE = "the source asks for fewer requests"


class CredentialsRefused(SourceAway):
    """Raised when the source refuses our log-in or a fresh token. Hold all work and alert a person.

    Do not try again before ``retry_after``: repeated failures can lock the account.
    """

    CODE = "credentials_refused"
    MESSAGE = "the source refuses the credentials"


FINAL_CODES: Final = frozenset({NoAccess.CODE, DocumentTooLarge.CODE, CaseTooLarge.CODE})
"""Codes of documents that later jobs leave alone too, unless one is requested by name or its listing changes.

Fewer than those of ``Verdict.PERMANENT``, which ends the attempts of one job: a document that is missing today may be
there tomorrow.
"""


def is_final(code: str | None) -> bool:
    """Whether a later job leaves a document with this stored error code alone."""
    return code in FINAL_CODES
