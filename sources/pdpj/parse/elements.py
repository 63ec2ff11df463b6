"""The elements of an answer about a case, the list of documents apart from it, and a page of a search. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from sources.errors import CaseUnreadable, ProcessNotFound, UnexpectedAnswer
from sources.pdpj.parse.documents import listed_in
from sources.pdpj.parse.fields import as_dict, as_list, integer, read_json, text

Json = dict[str, Any]

_PARTS_OF_A_CASE: Final = ("tramitacaoAtual", "tramitacoes", "documentos", "dadosBasicos")


def finds_nothing(body: bytes) -> bool:
    """Whether a page of ``GET /processos?numeroProcesso=`` is an empty one. False for what is no page."""
    try:
        return _elements(_json(body), "the search") == []
    except UnexpectedAnswer:
        return False


def _json(body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError:
        raise CaseUnreadable("the answer is not JSON") from None


def _elements(value: Any, what: str) -> list[Any]:
    """The array, bare or in a page's ``content``; a page without content is an empty one."""
    if isinstance(value, dict) and "content" in value:
        value = value["content"] if value["content"] is not None else []
    if not isinstance(value, list):
        raise UnexpectedAnswer(f"{what} is not an array")
    return value


def list_of_documents(body: bytes | None, process_number: str) -> Any:
    """What ``.../documentos`` lists, in any of its forms; None when it is no list, or that of another case."""
    if body is None:
        return None
    try:
        value = _json(body)
    except UnexpectedAnswer:
        return None
    if isinstance(value, dict):
        number = value.get("numeroProcesso")
        if isinstance(number, str) and _digits(number) != _digits(process_number):
            return None
        return value if any(name in value for name in ("documentos", "content")) else None
    if not isinstance(value, list):
        return None
    # An array of objects that have the list inside, or the list itself.
    return [inner for item in value for inner in (listed_in(item) if "documentos" in as_dict(item) else [item])]


def is_whole(listed: Any) -> bool:
    """Whether a list of documents has documents, and says of no further page."""
    return as_dict(listed).get("last") is not False and next(listed_in(listed), None) is not None


def elements_of(body: bytes, process_number: str) -> list[Json]:
    """The elements that are about this case: one number can be in several courts."""
    value = _json(body)
    if isinstance(value, dict) and "content" not in value and _is_a_case(value):
        value = [value]
    elif _says_not_found(value):
        raise ProcessNotFound
    elements = _elements(value, "the case")
    if not elements:
        raise ProcessNotFound
    objects = [element for element in elements if isinstance(element, dict)]
    if not objects:
        raise UnexpectedAnswer("the case is not an object")
    wanted = _digits(process_number)
    found = [element for element in objects if _digits(text(element.get("numeroProcesso")) or wanted) == wanted]
    if not found:
        raise UnexpectedAnswer("the answer is about another case")
    if not any(_is_a_case(element) for element in found):
        raise UnexpectedAnswer("the case has neither tramitacaoAtual nor tramitacoes")
    return found


def _is_a_case(value: Json) -> bool:
    return any(as_list(value.get(name)) for name in _PARTS_OF_A_CASE)


def _says_not_found(value: Any) -> bool:
    """The platform's own 404 in the body of a 200."""
    answer = as_dict(value)
    return any(integer(answer.get(name)) == 404 for name in ("code", "status", "codigo"))


def _digits(number: str) -> str:
    """The twenty digits of a number, also of one that came without its leading zeros."""
    return re.sub(r"[^0-9]", "", number[:64]).zfill(20)
