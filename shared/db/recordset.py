"""Many rows in one statement: they travel as one JSON text, which ``json_to_recordset`` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a JSON array of objects, a key a column; times as RFC 3339.

    Raises TypeError for a value that has no JSON form.
    """
    return orjson.dumps(rows).decode()


def column_types(table: Table) -> dict[str, str]:
    """By name the SQL type of each column of a table, for the column definitions of a recordset."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {column.name: column.type.compile(dialect) for column in table.columns}
