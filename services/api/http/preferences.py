"""What a client would rather have, by weight (RFC 9110, section 12.4.2). Pure."""

from __future__ import annotations


def weights(header: str) -> dict[str, float]:
    """Each value of an ``Accept-…`` header, in lower case, with its weight from 0 (never) to 1 (the default).

    A weight that is no number is 0: what a client says unclearly it does not get.
    """
    found: dict[str, float] = {}
    for part in header.split(","):
        value, *parameters = (text.strip().lower() for text in part.split(";"))
        if value:
            found[value] = _weight(parameters)
    return found


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
