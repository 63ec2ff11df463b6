"""Errors as clients see them: RFC 9457 problem documents with a stable ``code``, one class each.

A route raises one of these; :mod:`services.api.http.error_handlers` turns it, and what the framework raises, into an
answer, and :mod:`services.api.http.described_problems` puts the same classes into the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from services.api.http.languages import ENGLISH, PORTUGUESE, PORTUGUESE_TITLES

MEDIA_TYPE: Final = "application/problem+json"
ERRORS_SHOWN: Final = 20
"""How many errors a problem lists: a body can be wrong in thousands of places."""
_TEXT_SHOWN: Final = 500
_DETAIL_SHOWN: Final = 2000
"""Characters. What a client sent comes back in these texts, and an answer is small whatever was sent."""


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of the request; ``code`` is stable."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """The base: a status, a stable code and a title by class; a detail and headers by case."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def document(
        self, *, instance: str, request_id: str, language: str = ENGLISH, trace_id: str | None = None
    ) -> dict[str, Any]:
        """The members of RFC 9457, section 3.1, with ``code``, ``request_id``, ``trace_id``, ``errors``,
        ``errors_total``.

        ``language`` is that of the title, and of a detail that says no more than the title.
        """
        title = PORTUGUESE_TITLES.get(self.code, self.title) if language == PORTUGUESE else self.title
        body: dict[str, Any] = {
            "type": f"urn:autos:problem:{self.code}",
            "title": title,
            "status": self.status,
            "detail": title if self.detail == self.title else _shown(self.detail, _DETAIL_SHOWN),
            "instance": _shown(instance),
            "code": self.code,
            "request_id": request_id,
        }
        if trace_id is not None:
            body["trace_id"] = trace_id
        if self.errors:
            body["errors"] = [
                {"field": _shown(error.field), "code": error.code, "message": _shown(error.message)}
                for error in self.errors[:ERRORS_SHOWN]
            ]
        if len(self.errors) > ERRORS_SHOWN:
            body["errors_total"] = len(self.errors)
        return body


def _shown(text: str, limit: int = _TEXT_SHOWN) -> str:
    """``text`` cut, with a question mark for what is no character (JSON can name half of a surrogate pair)."""
    return text[:limit].encode(errors="replace").decode()


class Unauthorized(Problem):
    """No key, or one that is unknown, expired or revoked."""

    status, code, title = 401, "unauthorized", "A valid API key is needed"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="autos"'})


class InsufficientScope(Problem):
    """The key is good, but not for this."""

    status, code, title = 403, "insufficient_scope", "The API key lacks a scope"


class NoAccessProblem(Problem):
    """The source says that the credentials of this installation have no standing in the case."""

    status, code, title = 403, "no_access", "The source gives no access to this case"


class NotYourJob(Problem):
    """Only the client that started a job may cancel it."""

    status, code, title = 403, "not_your_job", "The job was started by another client"


class NotFound(Problem):
    """There is no such address."""

    status, code, title = 404, "not_found", "Not found"


class ProcessNotFoundProblem(Problem):
    """The source does not know the case, or it does not exist for this key."""

    status, code, title = 404, "process_not_found", "The source does not know this case"


class ProcessUnknown(Problem):
    """This client has not asked for the case, or it does not exist for its key."""

    status, code, title = 404, "process_unknown", "This case was never asked for"


class DocumentNotFoundProblem(Problem):
    """The case has no such document."""

    status, code, title = 404, "document_not_found", "The case has no such document"


class DocumentNotAvailable(Problem):
    """The document is known, but it has not been downloaded."""

    status, code, title = 404, "document_not_available", "The document is not available yet"


class DocumentGone(Problem):
    """The document was downloaded, and its object is not in the object store any more, or not whole."""

    status, code, title = 404, "document_gone", "The document has gone from the object store"


class JobNotFound(Problem):
    """There is no such job."""

    status, code, title = 404, "job_not_found", "There is no such job"


class DeliveryNotFound(Problem):
    """This client has no such delivery."""

    status, code, title = 404, "delivery_not_found", "There is no such delivery"


class EndpointNotFound(Problem):
    """This client has no such endpoint."""

    status, code, title = 404, "endpoint_not_found", "There is no such endpoint"


class DeadLetterNotFound(Problem):
    """There is no such dead letter, or its topic has deleted it."""

    status, code, title = 404, "dead_letter_not_found", "There is no such dead letter"


class MethodNotAllowed(Problem):
    """The address exists, but not with this method."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class JobFinished(Problem):
    """A job that has ended cannot be cancelled."""

    status, code, title = 409, "job_finished", "The job has ended already"


class JobShared(Problem):
    """Other clients are on this job: they joined it, or will be called when it ends."""

    status, code, title = 409, "job_shared", "Other clients wait for this job"


class NotReplayableProblem(Problem):
    """The dead letter is a record that cannot be read: sending it again would change nothing."""

    status, code, title = 409, "not_replayable", "This dead letter cannot be sent again"


class CaseBeingDeleted(Problem):
    """The case is being deleted: it can be asked for again when that is complete, in a moment."""

    status, code, title = 409, "case_being_deleted", "This case is being deleted"


class BodyTooLarge(Problem):
    """The request's body is larger than the limit."""

    status, code, title = 413, "body_too_large", "The request body is too large"


class RangeNotSatisfiable(Problem):
    """The Range lies outside of the document (RFC 9110, section 15.5.17)."""

    status, code, title = 416, "range_not_satisfiable", "The range lies outside of the document"


class InvalidProcessNumberProblem(Problem):
    """Not a CNJ number: format, check digits or court."""

    status, code, title = 422, "invalid_process_number", "Not a valid CNJ number"


class InvalidWebhookUrl(Problem):
    """The webhook's address breaks one of the URL rules; ``errors[0].code`` says which."""

    status, code, title = 422, "invalid_webhook_url", "The webhook URL is not allowed"


class InvalidReferenceProblem(Problem):
    """The client's own reference is empty, too long, or has control characters; ``errors[0].code`` says which."""

    status, code, title = 422, "invalid_reference", "Not a valid reference"


class InvalidCursor(Problem):
    """A cursor that this API did not make."""

    status, code, title = 422, "invalid_cursor", "Not a cursor of this list"


class UnknownParameter(Problem):
    """A query parameter that the route does not have."""

    status, code, title = 422, "unknown_parameter", "Unknown query parameter"


class ValidationFailed(Problem):
    """The request does not have the documented shape."""

    status, code, title = 422, "validation_failed", "The request is not valid"


class TooManyActiveJobs(Problem):
    """The client has as many active jobs as one client may."""

    status, code, title = 429, "too_many_active_jobs", "Too many active jobs"


class InternalError(Problem):
    """A fault of ours; the request id finds it in the log."""

    status, code, title = 500, "internal_error", "Internal error"


class NotStorable(InternalError):
    """What the request needs stored is not what the database can hold (too large, say); a retry is of no use."""

    status, code, title = 500, "unstorable", "The database cannot hold this"


class SourceUnavailableProblem(Problem):
    """The source cannot be read now, and there is neither a stored copy nor a job to do it later."""

    status, code, title = 503, "source_unavailable", "The source cannot be read right now"


class CaseTooLargeProblem(Problem):
    """What the source answers about the case is larger than this installation reads; only a job would say so later."""

    status, code, title = 502, "case_too_large", "The source's answer about this case is too large"


class CaseUnreadableProblem(Problem):
    """What the source answers about the case cannot be read."""

    status, code, title = 502, "case_unreadable", "The source's answer about this case cannot be read"


class SecretsUnreadable(Problem):
    """A secret that is needed does not open with AUTOS_SECRETS_KEY; an operator has to set the right key."""

    status, code, title = 503, "secrets_unreadable", "A stored secret cannot be read"


class ServiceUnavailable(Problem):
    """Something that the API itself needs is away; try again."""

    status, code, title = 503, "service_unavailable", "Temporarily unavailable"
