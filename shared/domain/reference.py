"""A client's own reference of a request: the number of its file, the name of its matter. Opaque to Autos.

It comes back to the client that gave it, and to nobody else. It may be personal data, so no log has it.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MOST_CHARACTERS: Final = 200
"""Code points, as JSON Schema's ``maxLength`` counts."""
# Controls, halves of surrogate pairs, and the two separators that count as the end of a line.
_REFUSED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


class InvalidReference(ValueError):
    """Not a reference; ``reason`` is a stable code, ``detail`` says what is expected."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def checked(text: str) -> str:
    """The reference, as it was given. Raises InvalidReference (``empty``, ``too_long``, ``control_characters``)."""
    if not text:
        raise InvalidReference("empty", f"a reference has 1 to {MOST_CHARACTERS} characters; leave it out to give none")
    if len(text) > MOST_CHARACTERS:
        raise InvalidReference("too_long", f"a reference has at most {MOST_CHARACTERS} characters, not {len(text)}")
    if any(unicodedata.category(character) in _REFUSED for character in text):
        raise InvalidReference("control_characters", "a reference has no control characters and no line breaks")
    return text
