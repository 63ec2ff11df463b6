"""A pattern that is looked for in a whole page, in one pass and at the speed of memory: ``re`` takes milliseconds.

The engine is Rust's regex crate, which pydantic's validation of texts has in it. Its time grows with the text alone,
whatever the pattern (https://docs.rs/regex, "Untrusted input"); so it knows neither references back nor looks around.
"""

from __future__ import annotations

from typing import Final

from pydantic_core import SchemaValidator, core_schema

FOLDED: Final = bytes(code + 32 if 65 <= code <= 90 else code if code < 128 else ord("?") for code in range(256))
"""For ``bytes.translate``: letters in lower case, and no byte that is not ASCII."""


class LinearPattern:
    """Any of these patterns, made once."""

    def __init__(self, *patterns: str) -> None:
        """Raises pydantic_core.SchemaError for a pattern that the engine does not take."""
        schema = core_schema.str_schema(pattern="|".join(patterns), regex_engine="rust-regex")
        self._validator = SchemaValidator(schema)

    def is_in(self, text: str) -> bool:
        """Whether it is anywhere in the text."""
        return self._validator.isinstance_python(text)


def folded_markup(head: bytes) -> str:
    """The bytes as a text of ASCII in lower case, for patterns of tags and addresses."""
    return head.translate(FOLDED).decode("ascii")
