"""What the code alone does not say of an error code: what to do about it. A check refuses a code without a note."""

from __future__ import annotations

from typing import Final, NamedTuple


class ErrorNote(NamedTuple):
    """``meaning`` where no class says it; ``where`` and ``again`` (is it tried again?) for jobs and documents."""

    advice: str
    meaning: str = ""
    where: str = ""
    again: str = ""


PROBLEM_NOTES: Final[dict[str, str]] = {
    "body_too_large": "Send less: AUTOS_API_MAX_BODY_BYTES.",
    "case_being_deleted": "Repeat it after `Retry-After` seconds: it then starts anew.",
    "case_too_large": "Raise AUTOS_PDPJ_MAX_METADATA_BYTES if the case is wanted all the same.",
    "case_unreadable": "Try later; an operator looks at what the source answers (`autos doctor --source NUMERO`).",
    "dead_letter_not_found": "List them again: topics keep dead letters for 30 days.",
    "deletion_not_found": "List the deletions (`GET /deletions`).",
    "delivery_not_found": "List the deliveries; another client's are not shown.",
    "document_gone": "Ask for it again with download-document.",
    "document_not_available": "Wait for its job, or ask for it with download-document.",
    "document_not_found": "Take an id from the case's list of documents.",
    "endpoint_not_found": "List the endpoints; another client's are not shown.",
    "insufficient_scope": "Use a key with the scope that `detail` names.",
    "internal_error": "Report it with `request_id`; repeat the request later.",
    "invalid_reference": "Send 1 to 200 characters without control characters; `errors[0].code` says what is wrong.",
    "invalid_cursor": "Begin at the first page; take `next_cursor` as it is, for the same list.",
    "invalid_endpoint": "Correct what `errors[0]` names; its code says why ([webhooks.md](webhooks.md#endpoints)).",
    "invalid_process_number": "Correct the number; `errors[0].code` says which rule it breaks.",
    "invalid_webhook_url": "Correct the URL; `errors[0].code` names the rule ([Webhook URLs](#webhook-urls)).",
    "job_finished": "Nothing: the job has ended.",
    "job_not_found": "Take the `job_id` of an answer of yours.",
    "job_shared": "Nothing: the others need it. Ignore its end.",
    "malformed_request": "Send HTTP/1.1 with one length, over a connection without TLS unless a proxy ends it.",
    "method_not_allowed": "Use a method that the address has.",
    "no_access": "Have the PDPJ account of this installation given access to the case.",
    "not_found": "Correct the address; `/docs` lists them.",
    "not_replayable": "Mend what wrote the record; the command `autos dead show` prints it.",
    "no_preview": "Save it by its link, and open it with a program of its own.",
    "not_your_job": "Let the client that started the job cancel it.",
    "process_not_found": "Check the number; a case that was filed a moment ago may come later.",
    "process_unknown": "Ask for the case first: GET /processes/{numero}.",
    "range_not_satisfiable": "Take a range within the size in `Content-Range`.",
    "rate_limited": "Wait for `Retry-After` seconds.",
    "request_head_too_large": "Send fewer or shorter headers: AUTOS_API_MAX_HEAD_BYTES.",
    "request_timeout": "Send the request without pauses.",
    "sealing_key_missing": "Register without headers, or have an operator set AUTOS_SECRETS_KEY.",
    "secrets_unreadable": "Have an operator set the key that is missing in AUTOS_SECRETS_KEY.",
    "service_unavailable": "Repeat it after `Retry-After` seconds.",
    "source_unavailable": "Repeat it after `Retry-After` seconds, or let a job do it (auto_download=true).",
    "too_many_active_jobs": "Wait for jobs to end: AUTOS_MAX_ACTIVE_JOBS.",
    "too_many_connections": "Repeat it later; keep connections for several requests.",
    "too_many_endpoints": "Remove an endpoint, or change one: AUTOS_WEBHOOK_ENDPOINTS_PER_CLIENT.",
    "too_many_parameters": "Send the parameters of the route alone.",
    "too_many_streams": "Close a stream, or poll: AUTOS_STREAMS_PER_CLIENT.",
    "too_many_tokens": "Use a token for several streams until it expires, or make it with another key.",
    "too_many_waits": "Wait with fewer requests at once: AUTOS_WAITS_PER_CLIENT.",
    "unauthorized": "Send a key that exists, has not expired and was not revoked.",
    "unknown_parameter": "Correct the name; `errors` says which was probably meant.",
    "unstorable": "Do not repeat it; report it with `request_id`.",
    "uri_too_long": "Send a shorter address.",
    "unsupported_media_type": "Send the body as JSON with `Content-Type: application/json`.",
    "validation_failed": "Correct what `errors` names.",
}

_BOTH: Final = "job, document"
JOB_CODES: Final[dict[str, ErrorNote]] = {
    "cancelled": ErrorNote("Ask for the case again.", "the client that started the job cancelled it", "job", "no"),
    "case_too_large": ErrorNote("Raise AUTOS_PDPJ_MAX_METADATA_BYTES or AUTOS_CASE_MEMORY_BYTES.", where="job"),
    "case_unreadable": ErrorNote("Ask again later; an operator looks at what the source answers.", where="job"),
    "credentials_refused": ErrorNote(
        "An operator renews the credentials of PDPJ; the work goes on by itself.", where="document"
    ),
    "document_not_found": ErrorNote("Nothing, or refresh: the case's next job asks again.", where="document"),
    "document_too_large": ErrorNote(
        "Raise AUTOS_PDPJ_MAX_DOCUMENT_BYTES, then ask for the document by its id.", where="document"
    ),
    "doubtful_content": ErrorNote("Nothing: the last attempt keeps what comes, with `warnings`.", where="document"),
    "empty_body": ErrorNote(
        "Ask for the document again later; it may be empty in the court's system.", where="document"
    ),
    "event_refused": ErrorNote(
        "An operator looks at `autos dead list`.",
        "the request's event is one that the broker will never take",
        "job",
        "no",
    ),
    "internal_error": ErrorNote(
        "An operator finds the cause in the log and in `autos dead list`, and replays it.",
        "a fault of ours: the record could not be handled",
        _BOTH,
        "as often as the record is delivered; then by a replay",
    ),
    "no_access": ErrorNote("Have the PDPJ account given access to the case.", where=_BOTH),
    "no_address": ErrorNote("Refresh later: a new listing may have the address.", where="document"),
    "not_a_document": ErrorNote(
        "Ask again later: the source showed a page of its own, of a log-in or of a firewall.", where="document"
    ),
    "not_ready": ErrorNote("Ask again later.", where="document"),
    "process_not_found": ErrorNote("Check the number; ask again if the case is new.", where="job"),
    "retention_expired": ErrorNote(
        "Ask for it again: with refresh, by its id, or with download-all-documents.",
        "the document was available, and was removed after AUTOS_DOCUMENT_RETENTION_DAYS",
        "document",
        "by the case's next job",
    ),
    "short_body": ErrorNote("Ask again later.", where="document"),
    "source_error": ErrorNote(
        "Ask again later; for one document it often means that PDPJ lacks it or denies it.", where=_BOTH
    ),
    "source_route": ErrorNote(
        "An operator checks AUTOS_PDPJ_BASE_URL and AUTOS_PDPJ_API (`autos doctor --source`).", where=_BOTH
    ),
    "source_throttled": ErrorNote("Nothing: the work goes on by itself.", where="document"),
    "source_unavailable": ErrorNote("Ask again later, if the source was there for other cases.", where="document"),
    "store_refused": ErrorNote("An operator looks at what the object store says in the log.", where="document"),
    "unknown_source": ErrorNote(
        "An operator sets AUTOS_SOURCES so that this source is read from; or reads the case again (refresh).",
        where="document",
    ),
    "token_rejected": ErrorNote("An operator checks what the PDPJ account may read.", where="document"),
    "unexpected_answer": ErrorNote("Ask again later; many of them mean that the source has changed.", where="document"),
}

URL_CODES: Final[dict[str, ErrorNote]] = {
    "address_not_public": ErrorNote(
        "Use a public address; an operator may open a network with AUTOS_WEBHOOK_ALLOWED_NETWORKS.",
        "The host, or an address that its name has, is not a public one.",
    ),
    "domain_not_allowed": ErrorNote(
        "Use a host below one of AUTOS_WEBHOOK_ALLOWED_DOMAINS.", "The host is not one that this installation calls."
    ),
    "https_required": ErrorNote("Use https.", "This installation takes https alone (AUTOS_WEBHOOK_REQUIRE_HTTPS)."),
    "invalid_url": ErrorNote(
        "Correct the URL.", "Not a URL, longer than 2,048 characters, or with characters that no URL has."
    ),
    "name_not_resolved": ErrorNote("Correct the host, or its records.", "The host has no address."),
    "port_not_allowed": ErrorNote(
        "Use 80, 443, or a port from 1024.", "Other services than web servers live on this port."
    ),
    "scheme_not_allowed": ErrorNote("Use https.", "Neither http nor https."),
    "too_many_addresses": ErrorNote("Give the name at most 64 addresses.", "The host has more than 64 addresses."),
    "userinfo_not_allowed": ErrorNote(
        "Put the secret elsewhere: webhooks are signed.", "The URL has a user name or password."
    ),
}

ATTEMPT_CODES: Final[dict[str, ErrorNote]] = {
    "body_timeout": ErrorNote("Answer before you work.", "The answer began and did not end in time."),
    "body_unavailable": ErrorNote("An operator looks at the log.", "The body could not be made."),
    "connect_timeout": ErrorNote("Let the sender through the firewall.", "No address accepted the connection in time."),
    "connection_failed": ErrorNote("See the attempt's message.", "The connection failed in another way."),
    "connection_refused": ErrorNote("Start the receiver, or correct the port.", "Nothing listens at the address."),
    "connection_reset": ErrorNote(
        "Look at the receiver and at what stands before it.", "The receiver broke the connection."
    ),
    "dns_error": ErrorNote("Correct the host's records.", "The host has no address."),
    "dns_timeout": ErrorNote("Look at the name servers of the host.", "Its name was not resolved in time."),
    "head_timeout": ErrorNote("Answer before you work.", "The request was taken, and no answer began in time."),
    "headers_not_opened": ErrorNote(
        "Set the headers of the endpoint anew (PATCH).",
        "The endpoint's headers were sealed with a key that is no longer in AUTOS_WEBHOOK_SEALING_KEYS.",
    ),
    "invalid_answer": ErrorNote(
        "Answer with HTTP/1.1 and a small head.", "The answer is not HTTP/1.1, or its head passes a bound."
    ),
    "invalid_secret": ErrorNote("Rotate the secret.", "The client's secret cannot be used to sign."),
    "send_timeout": ErrorNote("Read the whole request.", "The receiver did not take the request in time."),
    "tls_error": ErrorNote(
        "Renew the certificate, with its chain.", "The certificate was not accepted, or the handshake failed."
    ),
    "tls_timeout": ErrorNote("Look at what ends TLS for the receiver.", "The handshake did not end in time."),
    "unreachable": ErrorNote("Look at the network.", "There is no route to the address."),
}
