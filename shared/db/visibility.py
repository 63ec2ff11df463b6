"""The rule of :mod:`shared.domain.secrecy` in SQL: whatever shows a case, a job or a document uses one of these.

The conditions are written so that the planner takes the index of the sealed documents, of which there are few; a change
here has to be measured on a large case (docs/adr/0019-sealed.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from shared.db.catalog import documents, jobs, process_requests, processes
from shared.db.document_states import state_of_document
from shared.db.prepared import Prepared
from shared.domain.secrecy import PUBLIC_LEVEL, PUBLIC_WORDS, Knowledge, LeftOut, Sight, Viewer
from shared.domain.statuses import DocumentStatus, JobScope

# As literals, so that the plan of a prepared statement knows them.
_WHOLE_CASE: Final = literal_column(f"'{JobScope.WHOLE_CASE}'", Text)
_AVAILABLE: Final = literal_column(f"'{DocumentStatus.AVAILABLE}'", Text)
_FAILED: Final = literal_column(f"'{DocumentStatus.FAILED}'", Text)

# Written out and not as parameters: a plan with parameters cannot use the index of the sealed documents.
_PUBLIC_WORDS: Final = [literal_column(f"'{word}'", Text) for word in PUBLIC_WORDS]

SEALED: Final = bindparam("sealed", type_=Boolean)
"""The parameter of statements: whether what is sealed is shown (:attr:`shared.domain.secrecy.Sight.sealed`)."""

PUBLIC_DOCUMENT: Final[ColumnElement[bool]] = or_(
    documents.c.secrecy_level.is_(None), *(documents.c.secrecy_level == word for word in _PUBLIC_WORDS)
)
"""Whether a row of ``catalog.documents`` is as open as its case."""

# A name of its own, so that it is never taken for the documents of a statement around it.
_sealed: Final = documents.alias("sealed_documents")
# As the condition of the index ix_documents_sealed says it.
_SEALED_DOCUMENT: Final[ColumnElement[bool]] = and_(
    _sealed.c.secrecy_level.is_not(None), *(_sealed.c.secrecy_level != word for word in _PUBLIC_WORDS)
)

SHOWN_DOCUMENT: Final[ColumnElement[bool]] = or_(SEALED, PUBLIC_DOCUMENT)
"""Whether a row of ``catalog.documents`` is shown, with the parameter ``sealed``."""


def public_text(alias: str) -> str:
    """:data:`PUBLIC_DOCUMENT` as text, of the row ``alias`` of ``catalog.documents``."""
    words = ", ".join(f"'{word}'" for word in PUBLIC_WORDS)
    return f"({alias}.secrecy_level IS NULL OR {alias}.secrecy_level IN ({words}))"


def sealed_text(alias: str) -> str:
    """The opposite, as the condition of the index ix_documents_sealed says it."""
    words = "".join(f" AND {alias}.secrecy_level <> '{word}'" for word in PUBLIC_WORDS)
    return f"({alias}.secrecy_level IS NOT NULL{words})"


def travelling_name(alias: str) -> str:
    """The SQL text of the name that a row of ``catalog.documents`` has in events and in the object store.

    The name of a sealed document stays in the catalog: its id stands for it.
    """
    case = (
        f"EXISTS (SELECT FROM catalog.processes AS its WHERE its.process_number = {alias}.process_number"
        f" AND its.secrecy_level = {PUBLIC_LEVEL})"
    )
    return f"CASE WHEN {public_text(alias)} AND {case} THEN {alias}.name ELSE {alias}.document_id::text END AS name"


def _any_sealed(*rules: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether there is a sealed document of these rules.

    Not an EXISTS: the server may answer that from a table of all sealed documents of all cases, made for the question.
    """
    one: Select[Any] = (
        select(literal_column("1")).select_from(_sealed).where(*rules, _SEALED_DOCUMENT).limit(literal_column("1"))
    )
    return one.correlate_except(_sealed).scalar_subquery().is_not(None)


def sealed_document_of(process_number: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a case has a sealed document."""
    return _any_sealed(_sealed.c.process_number == process_number)


def shown_job_in(sees_sealed: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a row of ``catalog.jobs`` is shown where ``sees_sealed`` says what is: not one of a sealed document."""
    of_sealed_document = _any_sealed(
        _sealed.c.process_number == jobs.c.process_number, cast(_sealed.c.document_id, Text) == jobs.c.scope
    )
    return or_(sees_sealed, jobs.c.scope == _WHOLE_CASE, not_(of_sealed_document))


SHOWN_JOB: Final[ColumnElement[bool]] = shown_job_in(SEALED)
"""Whether a row of ``catalog.jobs`` is shown, with the parameter ``sealed``: not the job of one sealed document."""


def public_case() -> ColumnElement[bool]:
    """Whether a row of ``catalog.processes``, outer joined, is of an open case, or there is none yet. Never null."""
    unknown = -1
    level = func.coalesce(processes.c.secrecy_level, literal_column(str(unknown)))
    return or_(processes.c.process_number.is_(None), level == literal_column(str(PUBLIC_LEVEL)))


def shown_case(viewer: Viewer) -> ColumnElement[bool]:
    """Whether ``viewer`` sees the case of a row of ``process_requests`` of its own, outer joined with ``processes``."""
    return or_(public_case(), and_(literal(viewer.sealed), process_requests.c.sealed))


def shown_number(viewer: Viewer, process_number: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether what a client has of a case of this number (a delivery) is shown: not while the case is hidden."""
    # By their primary keys, row by row, and not from a table of all cases: see _any_sealed.
    open_ = (
        select(public_case())
        .where(processes.c.process_number == process_number)
        .correlate_except(processes)
        .scalar_subquery()
    )
    granted = (
        select(process_requests.c.sealed)
        .where(
            process_requests.c.client_id == viewer.client_id,
            process_requests.c.process_number == process_number,
        )
        .correlate_except(process_requests)
        .scalar_subquery()
    )
    return or_(
        func.coalesce(open_, literal_column("true")),
        and_(literal(viewer.sealed), func.coalesce(granted, literal_column("false"))),
    )


KNOWLEDGE: Final = (
    select(
        process_requests.c.sealed,
        processes.c.process_number.is_not(None).label("stored"),
        processes.c.secrecy_level,
        sealed_document_of(process_requests.c.process_number).label("has_sealed"),
        process_requests.c.reference_changes,
    )
    .select_from(
        process_requests.join(processes, processes.c.process_number == process_requests.c.process_number, isouter=True)
    )
    .where(process_requests.c.client_id == bindparam("client_id"))
)
"""What is known of the cases that a client (``client_id``) asked for: the columns are Knowledge's, after ``asked``."""
_OF_ONE: Final = Prepared("autos_sight", KNOWLEDGE.where(process_requests.c.process_number == bindparam("number")))


_LEFT_OUT: Final = (
    select(_sealed.c.position, cast(_sealed.c.document_id, Text).label("document_id"))
    .where(_sealed.c.process_number == bindparam("number"), _SEALED_DOCUMENT)
    .order_by(_sealed.c.position)
)


def read_sight(connection: Connection, viewer: Viewer, process_number: str) -> Sight | None:
    """What ``viewer`` sees of a case; None: nothing, as of one that it never asked for."""
    wanted = {"client_id": viewer.client_id, "number": str(process_number)}
    row = _OF_ONE.run(connection, wanted).one_or_none()
    sight = Knowledge(True, *row).sight(viewer) if row is not None else None
    return with_left_out(connection, process_number, sight) if sight is not None else None


def with_left_out(connection: Connection, process_number: str, sight: Sight) -> Sight:
    """The same sight, knowing the documents that are left out, if there are any."""
    return replace(sight, left_out=read_left_out(connection, process_number)) if sight.hides else sight


def read_left_out(connection: Connection, process_number: str) -> LeftOut:
    """The sealed documents of a case."""
    rows = connection.execute(_LEFT_OUT, {"number": str(process_number)}).all()
    return LeftOut(tuple(row.position for row in rows), frozenset(row.document_id for row in rows))


def is_for_nobody(connection: Connection, process_number: str) -> bool:
    """Whether clients have asked for the case, and none with a key of the scope ``sealed``: were it sealed, then.

    A case that no client asked for is an operator's: nobody sees it before asking for it.
    """
    granted = select(func.bool_or(process_requests.c.sealed)).where(
        process_requests.c.process_number == str(process_number)
    )
    return connection.execute(granted).scalar_one() is False


def public_counts(process_number: ColumnElement[str], scope: ColumnElement[str]) -> Any:
    """A SELECT of ``total, available, failed`` of the public documents of a job: those that everybody may count."""
    state = state_of_document()
    return (
        select(
            func.count().label("total"),
            func.count().filter(state.c.status == _AVAILABLE).label("available"),
            func.count().filter(state.c.status == _FAILED).label("failed"),
        )
        .select_from(documents.join(state, true(), isouter=True))
        .where(
            documents.c.process_number == process_number,
            PUBLIC_DOCUMENT,
            or_(scope == _WHOLE_CASE, cast(documents.c.document_id, Text) == scope),
        )
    )
