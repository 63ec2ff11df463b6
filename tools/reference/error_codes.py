"""docs/reference/error-codes.md from the problem classes, the source's errors and the notes of :mod:`notes`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

import services.api.app
import services.downloader.worker  # noqa: F401 - so that every error of the source is there
from services.api.http.languages import PORTUGUESE_TITLES
from services.api.http.problems import Problem
from sources.errors import SourceError, Verdict
from tools.reference.markdown import prose, table
from tools.reference.notes import ATTEMPT_CODES, JOB_CODES, PROBLEM_NOTES, URL_CODES, ErrorNote

_INTRODUCTION: Final = """\
# Error codes

Made by `python -m tools.reference` from the classes in the code; `make check` refuses a difference. Codes are stable:
clients may act on them. Texts beside them are for people and may change.
"""
_VERDICTS: Final = {
    Verdict.PERMANENT: "no",
    Verdict.RETRY: "AUTOS_DOWNLOAD_RETRY_DELAYS",
    Verdict.SOURCE_AWAY: "waits; costs no attempt in an outage",
}
T = TypeVar("T")


class Unexplained(ValueError):
    """A code has no note that says what to do, or a note is of no code."""


def subclasses(base: type[T]) -> Iterator[type[T]]:
    """Every class below ``base`` that is the product's own and not a test's."""
    for found in base.__subclasses__():
        if found.__module__.partition(".")[0] != "tests":
            yield found
        yield from subclasses(found)


def problems() -> list[type[Problem]]:
    """The problems that the API answers, by status and code, each code once."""
    found = {one.code: one for one in subclasses(Problem)}
    return sorted(found.values(), key=lambda one: (one.status, one.code))


def source_errors() -> dict[str, type[SourceError]]:
    """The errors with a code of their own, by code; of several with one code the most general."""
    found: dict[str, type[SourceError]] = {}
    for error in subclasses(SourceError):
        if isinstance(code := getattr(error, "CODE", None), str):
            found.setdefault(code, error)
    return dict(sorted(found.items()))


def complete(codes: Iterable[str], notes: Mapping[str, object], where: str) -> None:
    """Raise Unexplained when the notes are not exactly those of the codes: none is missing, none is needless."""
    missing, needless = set(codes) - set(notes), set(notes) - set(codes)
    if missing or needless:
        raise Unexplained(
            f"{where} (tools/reference/notes.py, services/api/http/languages.py):"
            f" missing {sorted(missing)}, needless {sorted(needless)}"
        )


def _job_rows() -> Iterator[list[str]]:
    errors = source_errors()
    own = {code: note for code, note in JOB_CODES.items() if note.meaning}
    complete(set(errors) | set(own), JOB_CODES, "JOB_CODES")
    for code, note in sorted(JOB_CODES.items()):
        error = errors.get(code)
        meaning = note.meaning or str(getattr(error, "MESSAGE", ""))
        again = note.again or (_VERDICTS[error.verdict] if error is not None else "")
        yield [f"`{code}`", note.where, meaning[:1].upper() + meaning[1:] + ".", again, note.advice]


def _problem_row(problem: type[Problem]) -> list[str]:
    return [
        *(str(problem.status), f"`{problem.code}`", problem.title, PORTUGUESE_TITLES[problem.code]),
        *(prose(problem.__doc__ or ""), PROBLEM_NOTES[problem.code]),
    ]


def _noted(notes: Mapping[str, ErrorNote]) -> Iterator[list[str]]:
    yield from ([f"`{code}`", note.meaning, note.advice] for code, note in sorted(notes.items()))


def page() -> str:
    """The whole page. Raises Unexplained, so that no code is published without what to do about it."""
    known = problems()
    complete([one.code for one in known], PROBLEM_NOTES, "PROBLEM_NOTES")
    complete([one.code for one in known], PORTUGUESE_TITLES, "PORTUGUESE_TITLES")
    return "\n".join(
        [
            _INTRODUCTION,
            "## Answers of the API\n\n`code` of a problem document ([http-api.md](http-api.md#errors)); its `title` is"
            " in Portuguese for who prefers that (`Accept-Language: pt-BR`).\n",
            table(
                ("Status", "Code", "Title", "Título (pt-BR)", "Meaning", "What to do"),
                map(_problem_row, known),
            ),
            "## Jobs and documents\n\n`error_code` of a job, a document, and the events about them. [pdpj.md]"
            "(pdpj.md#what-each-answer-means) says which answer of PDPJ leads to which.\n",
            table(("Code", "Of", "Meaning", "Tried again", "What to do"), _job_rows()),
            "## Webhook URLs\n\n`errors[0].code` of 422 `invalid_webhook_url`, and `error_code` of an attempt when the"
            " dial finds it.\n",
            table(("Code", "Meaning", "What to do"), _noted(URL_CODES)),
            "## Attempts of a delivery\n\n`error_code` of an attempt, beside those of URLs. It is null when a complete"
            " answer came in time: then the status says how it went.\n",
            table(("Code", "Meaning", "What to do"), _noted(ATTEMPT_CODES)),
        ]
    )
