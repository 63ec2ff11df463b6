"""The list of documents in the source's answer, and how it is shared out into tasks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def document_paths(answer: Sequence[dict[str, Any]]) -> list[str]:
    """The path of every document that has a file, each once, in the order in which the source lists them.

    The portal answers with an array of one object for each court; documents stand in its current docket
    (``tramitacaoAtual``) and in the others (``tramitacoes``).
    """
    found: dict[str, None] = {}
    for court in answer:
        for docket in (court.get("tramitacaoAtual") or {}, *(court.get("tramitacoes") or ())):
            for document in docket.get("documentos") or ():
                if path := document.get("hrefBinario"):
                    found[str(path)] = None
    return list(found)


def chunks(paths: Sequence[str], size: int) -> list[list[tuple[int, str]]]:
    """Positions with their paths, ``size`` to a task. Raises ValueError for a size below 1."""
    if size < 1:
        raise ValueError("a task fetches at least one document")
    numbered = list(enumerate(paths))
    return [numbered[start : start + size] for start in range(0, len(numbered), size)]
