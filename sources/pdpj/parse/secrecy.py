"""How secret a case or a document is: the source's numbers and words as one scale from 0 (public) to 5. Pure.

The data lake declares a number for the case and a word of six for a document, and clients of it meet each in place of
the other. A level that is not understood counts as the highest: what is sealed must never look open.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

from sources.pdpj.parse.fields import integer, text

WORDS: Final = ("PUBLICO", "SEGREDO_JUSTICA", "SIGILO_MINIMO", "SIGILO_MEDIO", "SIGILO_INTENSO", "SIGILO_ABSOLUTO")
"""By level."""
HIGHEST: Final = len(WORDS) - 1

_LEVELS: Final = {word: level for level, word in enumerate(WORDS)} | {
    "SEM_SIGILO": 0,
    "NAO_SIGILOSO": 0,
    "SEGREDO_DE_JUSTICA": 1,
    "SEGREDO": 1,
    "MINIMO": 2,
    "MEDIO": 3,
    "INTENSO": 4,
    "ABSOLUTO": 5,
}
_PARTS: Final = ("codigo", "nivel", "valor", "sigla", "nome", "descricao")


def level_of(value: Any) -> int | None:
    """The level of a case; None only where nothing is said."""
    if isinstance(value, str) and value in _LEVELS:
        return _LEVELS[value]
    if isinstance(value, dict):
        levels = [value[part] for part in _PARTS if value.get(part) is not None]
        return strictest(levels) if levels else (HIGHEST if value else None)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = integer(value)
    if number is not None:
        return min(number, HIGHEST)
    return _LEVELS.get(_folded(value), HIGHEST)


def strictest(values: Iterable[Any]) -> int | None:
    """The highest level that is said in several places; None where nothing is said in any."""
    return max((level for level in map(level_of, values) if level is not None), default=None)


def word_of(value: Any) -> str | None:
    """The level of a document as one of the six words; a word that is none of them stays, for people to read."""
    level = level_of(value)
    if level is None:
        return None
    if isinstance(value, str) and level == HIGHEST and _folded(value) not in _LEVELS and integer(value) is None:
        return text(value, 100)
    return WORDS[level]


def stricter(one: str | None, other: str | None) -> str | None:
    """The stricter of two words for one document; a word that is not understood is the strictest."""
    return max(one, other, key=lambda word: -1 if word is None else level_of(word) or 0)


def _folded(value: Any) -> str:
    """``Segredo de Justiça`` as ``SEGREDO_DE_JUSTICA``; nothing for what is no text."""
    plain = unicodedata.normalize("NFKD", text(value, 100) or "")
    kept = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"[\s_-]+", "_", kept.strip()).upper()
