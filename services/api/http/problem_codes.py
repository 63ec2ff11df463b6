"""The codes of all problems, which are the values of a label of the metrics."""

from __future__ import annotations

from services.api.http.problems import Problem


def problem_codes() -> tuple[str, ...]:
    """The code of every problem of the service, in order of the alphabet.

    Those of the modules that are imported by then: call it once the application's routes are.
    """
    found: set[str] = set()
    left: list[type[Problem]] = [Problem]
    while left:
        problem = left.pop()
        if problem.__module__.startswith("services."):
            found.add(problem.code)
        left += problem.__subclasses__()
    return tuple(sorted(found))
