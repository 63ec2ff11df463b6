"""Problems have titles in English and in Portuguese, each code both."""

from __future__ import annotations

import pytest

from services.api.http.languages import ENGLISH, PORTUGUESE, PORTUGUESE_TITLES, preferred
from services.api.http.problems import JobNotFound, ServiceUnavailable
from tools.reference.error_codes import problems


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", ENGLISH),
        ("pt-BR", PORTUGUESE),
        ("pt", PORTUGUESE),
        ("PT-br, en;q=0.9", PORTUGUESE),
        ("pt-PT,pt;q=0.8", PORTUGUESE),
        ("en-US,en;q=0.9,pt-BR;q=0.8", ENGLISH),
        ("en;q=0.5, pt-BR;q=0.7", PORTUGUESE),
        ("pt-BR;q=0", ENGLISH),
        ("pt-BR;q=nonsense", ENGLISH),
        ("fr, *;q=0.1", ENGLISH),
        ("de, pt;q=0.3", PORTUGUESE),
    ],
)
def test_portuguese_is_for_who_prefers_it(header: str, language: str) -> None:
    assert preferred(header) == language


def test_every_code_has_a_portuguese_title_and_no_other_has() -> None:
    known = {one.code: one.title for one in problems()}
    assert set(PORTUGUESE_TITLES) == set(known)
    assert [code for code, title in known.items() if PORTUGUESE_TITLES[code] == title] == []


def test_a_problem_has_the_title_of_its_language_and_the_same_code() -> None:
    problem = JobNotFound()
    english = problem.document(instance="/", request_id="1")
    portuguese = problem.document(instance="/", request_id="1", language=PORTUGUESE)
    assert (english["title"], portuguese["title"]) == ("There is no such job", "Tarefa não encontrada")
    # A detail that only repeats the title is in its language.
    assert portuguese["detail"] == portuguese["title"] and english["code"] == portuguese["code"]


def test_a_detail_of_its_own_stays_as_it_is() -> None:
    document = ServiceUnavailable("the database is away").document(instance="/", request_id="1", language=PORTUGUESE)
    assert (document["title"], document["detail"]) == ("Temporariamente indisponível", "the database is away")
