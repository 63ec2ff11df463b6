"""Of which cases an answer's JSON shows something, with how many documents and links to documents. Pure.

It looks where answers have cases: in the answer itself, in the entries of its lists, and in the data of events. So an
answer of a new route is understood without a word of the route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple


class ShownCase(NamedTuple):
    """What an answer has of one case: documents that it lists, and links to documents among them; None: a stream."""

    documents: int | None
    links: int | None


_NOTHING: Final = ShownCase(0, 0)


class Shown(NamedTuple):
    """What an answer has of cases."""

    cases: Mapping[str, ShownCase]
    """By case number, with its mask."""
    here: ShownCase
    """What stands in the answer itself: for a page of a case whose number the address alone has."""


def shown_cases(content: Any) -> Shown:
    """What there is of cases. Lists of documents are counted, and not looked into further."""
    found: dict[str, ShownCase] = {}
    for view in _views(content):
        number, more = view["process_number"], _counted(view)
        before = found.get(number, _NOTHING)
        found[number] = ShownCase(
            (before.documents or 0) + (more.documents or 0), (before.links or 0) + (more.links or 0)
        )
    return Shown(found, _counted(content) if isinstance(content, Mapping) else _NOTHING)


def _counted(view: Mapping[str, Any]) -> ShownCase:
    documents = view.get("documents")
    listed = documents if isinstance(documents, list) else []
    links = sum(1 for each in listed if isinstance(each, Mapping) and each.get("download_url") is not None)
    return ShownCase(len(listed), links)


def _views(content: Any) -> Iterator[Mapping[str, Any]]:
    """The objects that are about a case."""
    if not isinstance(content, Mapping):
        return
    if isinstance(content.get("process_number"), str):
        yield content
        return
    for value in content.values():
        if isinstance(value, list):
            for entry in value:
                yield from _of_entry(entry)


def _of_entry(entry: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(entry, Mapping):
        inner = entry.get("data")
        for view in (entry, inner):
            # An entry with a problem says why there is nothing of the case.
            is_refused = isinstance(view, Mapping) and view.get("problem") is not None
            if isinstance(view, Mapping) and isinstance(view.get("process_number"), str) and not is_refused:
                yield view
                return
