"""Many rows in one statement: they travel as one JSON text, which ``json_to_recordset`` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a JSON array of objects, a key a column; times as RFC 3339.

    Raises TypeError for a value that has no JSON form.
    """
    return orjson.dumps(rows).decode()
