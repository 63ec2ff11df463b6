"""What JSON Schema cannot say, for schemathesis: values of our formats that are really valid (loaded by its process).

A case number has check digits, a webhook's address must be one that this installation may call, and a cursor is one
that the API made. With these strategies what is generated as valid is valid, so that refusing it is a finding.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

from services.api.dead_letters.places import TOPICS, encode
from services.api.http import cursors
from shared.domain.cnj import make

_SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,20})?", re.ASCII)
_RECEIVER = os.environ["AUTOS_TEST_RECEIVER_URL"]

_NUMBERS = st.builds(
    make,
    st.integers(0, 9_999_999),
    st.integers(1990, 2026),
    st.just(8),
    st.integers(1, 27),
    st.integers(1, 9_999),
)
_MOMENTS = st.floats(0, 2e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))

schemathesis.openapi.format("cnj", st.one_of(_NUMBERS.map(str), _NUMBERS.map(lambda number: number.digits)))
schemathesis.openapi.format(
    "uri", st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True).map(lambda path: f"{_RECEIVER}/fuzz/{path}")
)
schemathesis.openapi.format("cursor", st.builds(cursors.encode, _MOMENTS, st.uuids().map(str)))
_PLACES = st.integers(0, 100_000)
for _list in ("movements", "parties", "events", "access"):
    schemathesis.openapi.format(f"cursor-{_list}", st.builds(cursors.encode_place, st.just(_list), _PLACES))
schemathesis.openapi.format(
    "cursor-documents", st.builds(cursors.encode_place, st.just("documents"), _PLACES, st.uuids().map(str))
)
schemathesis.openapi.format(
    "cursor-dead-letters",
    st.dictionaries(st.sampled_from([(name, 0) for name in TOPICS]), _PLACES, min_size=1).map(encode),
)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """The examples of the document are for people: their receiver is nobody's. Here it is the one of this run.

    A document's content has its own type, which the document calls bytes; and links between operations would make other
    sequences than those that the operations' own names lead to, and take several times as long.
    """
    # Either of the two; as a oneOf in the document it would give the generated clients a type that nobody can use.
    raw_schema["components"]["schemas"]["TestBody"]["oneOf"] = [
        {"required": [one], "properties": {one: {"type": "string"}, other: {"type": "null"}}}
        for one, other in (("url", "endpoint_id"), ("endpoint_id", "url"))
    ]
    _replace(raw_schema, "https://example.com/hooks/autos", f"{_RECEIVER}/fuzz/example")
    for item in raw_schema["paths"].values():
        for operation in item.values():
            for answer in operation["responses"].values():
                answer.pop("links", None)
                if (content := answer.get("content", {})) and "application/octet-stream" in content:
                    content["*/*"] = content.pop("application/octet-stream")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """An allowed wait is cut short: the answer comes when the time is over, and a run has better to do.

    Not in a query that is wrong on purpose: who changes one has it judged again, by a schema alone, which cannot know
    what is wrong in our formats, and a refusal would be taken for the refusal of something valid.
    """
    query = case.meta.components.get(ParameterLocation.QUERY) if case.meta is not None else None
    if query is not None and query.mode.is_negative:
        return
    for place in (case.query, kwargs.get("params")):
        if place and _SECONDS.fullmatch(str(place.get("wait"))) and 0.5 < float(place["wait"]) <= 60:
            place["wait"] = 0.5


def _replace(value: Any, old: str, new: str) -> None:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if inner == old:
            value[key] = new
        else:
            _replace(inner, old, new)
