"""The long lists of a case, in ``catalog.case_lists``: stored and read a part at a time, never as a whole.

The case's own row has what a view shows: the newest movements and the first parties. Where more are kept, all of them
are here too, up to a hundred a row. An item has a number that does not change while the list grows: movements are
counted from the oldest, parties in the source's order, both from 0. So a page is a range of numbers, found by the
primary key, and a cursor stays right when the source adds something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Integer, Select, and_, bindparam, func, select, text

from shared.db.catalog import case_lists, processes
from shared.db.prepared import Prepared
from shared.domain.case import Case
from shared.domain.views import ANSWER_BYTES, MOST_MOVEMENTS, MOST_PARTIES, MOVEMENTS_BYTES, PARTIES_BYTES, fitting

MOVEMENTS: Final = "movements"
PARTIES: Final = "parties"
CHUNK: Final = 100
"""Items of one row at most: a page of 500 reads six rows."""
_ROW_BYTES: Final = 256 * 1024
"""Of one row, unless a single item has more."""
_STATEMENT_BYTES: Final = 2 * 1024 * 1024

_UPSERT: Final = text(
    "INSERT INTO catalog.case_lists (process_number, kind, first, size, items)"
    " SELECT :number, r.kind, r.first, r.size, r.items"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, first integer, size integer, items jsonb)"
    " ON CONFLICT (process_number, kind, first) DO UPDATE SET items = excluded.items, size = excluded.size"
    " WHERE case_lists.items IS DISTINCT FROM excluded.items"
)
_DROP: Final = text(
    "DELETE FROM catalog.case_lists WHERE process_number = :number"
    " AND NOT (kind = 'movements' AND first = ANY (CAST(:movements AS integer[])))"
    " AND NOT (kind = 'parties' AND first = ANY (CAST(:parties AS integer[])))"
)


def _rows_of(kind: str, *, newest_first: bool) -> Select[Any]:
    """The rows of a range of numbers, from the one end on, until they have as much as an answer may."""
    first = case_lists.c.first
    order = first.desc() if newest_first else first
    mine = and_(case_lists.c.process_number == bindparam("number"), case_lists.c.kind == kind)
    low, high = (bindparam(name, type_=Integer) for name in ("low", "high"))
    # The row that the lowest number is in begins at it or before.
    begin = select(func.max(first)).where(mine, first <= low).scalar_subquery()
    upto = func.sum(case_lists.c.size).over(order_by=order).label("upto")
    rows = (
        select(first, case_lists.c["items"], case_lists.c.size, upto)
        .where(mine, first >= func.coalesce(begin, low), first <= high)
        .subquery()
    )
    return select(rows.c.first, rows.c["items"]).where(rows.c.upto - rows.c.size < ANSWER_BYTES).order_by(rows.c.first)


def _own_row(kind: str) -> Select[Any]:
    columns = processes.c
    return select(columns[f"{kind}_total"].label("total"), columns[kind].label("shown"), columns.left_out).where(
        columns.process_number == bindparam("number")
    )


_ROWS: Final = {
    MOVEMENTS: Prepared("autos_movements", _rows_of(MOVEMENTS, newest_first=True)),
    PARTIES: Prepared("autos_parties", _rows_of(PARTIES, newest_first=False)),
}
_OWN_ROW: Final = {kind: Prepared(f"autos_case_{kind}", _own_row(kind)) for kind in (MOVEMENTS, PARTIES)}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list, in its order: items with their numbers. It is shorter than asked for where items are long."""

    items: Sequence[tuple[int, Any]]
    total: int
    """How many the source lists."""
    more: bool
    """Whether there are others behind these."""


def inline(case: Case) -> tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
    """What the case's own row has of the movements and the parties."""
    return (
        fitting(case.movements[:MOST_MOVEMENTS], MOVEMENTS_BYTES),
        fitting(case.parties[:MOST_PARTIES], PARTIES_BYTES),
    )


def store_lists(connection: Connection, case: Case, *, is_new: bool = False) -> None:
    """Store what is longer than the case's own row has, and drop what is no longer kept. The caller commits.

    ``is_new``: nothing of the case was stored, so there is nothing to drop.

    Rows of CHUNK items at most, so that a case that grew by one movement rewrites one row of them.
    """
    movements, parties = inline(case)
    kept: dict[str, list[int]] = {MOVEMENTS: [], PARTIES: []}
    rows: list[bytes] = []
    for kind, shown, start, items in (
        (MOVEMENTS, movements, case.left_out.get(MOVEMENTS, 0), case.movements[::-1]),
        (PARTIES, parties, 0, case.parties),
    ):
        if len(items) == len(shown):
            continue
        for first, part in _chunks(items, start):
            kept[kind].append(first)
            rows.append(b'{"kind":"%b","first":%d,"size":%d,"items":%b}' % (kind.encode(), first, len(part), part))
            if sum(map(len, rows)) > _STATEMENT_BYTES:
                _write(connection, case.process_number, rows)
                rows.clear()
    if rows:
        _write(connection, case.process_number, rows)
    if not is_new:
        connection.execute(_DROP, {"number": case.process_number, **kept})


def _write(connection: Connection, process_number: str, rows: Sequence[bytes]) -> None:
    connection.execute(_UPSERT, {"number": process_number, "rows": f"[{b','.join(rows).decode()}]"})


def _chunks(items: Sequence[Any], start: int) -> Iterator[tuple[int, bytes]]:
    """The items as JSON arrays, each with the number of its first item; one ends before a multiple of CHUNK at most."""
    held: list[bytes] = []
    size = 0
    first = start
    for number, item in enumerate(items, start):
        content = orjson.dumps(item)
        if held and (number % CHUNK == 0 or size + len(content) > _ROW_BYTES):
            yield first, b"[%b]" % b",".join(held)
            held, size, first = [], 0, number
        held.append(content)
        size += len(content) + 1
    if held:
        yield first, b"[%b]" % b",".join(held)


def read_movements(connection: Connection, process_number: str, *, below: int | None, limit: int) -> Part | None:
    """At most ``limit`` movements, newest first, with numbers below ``below``; None: nothing of the case is stored.

    Numbers count from the oldest, so they stay when newer ones are filed. Who may see the case is the caller's to
    check.
    """
    row = _OWN_ROW[MOVEMENTS].run(connection, {"number": str(process_number)}).one_or_none()
    if row is None:
        return None
    shown: list[Any] = row.shown
    total: int = row.total if row.total is not None else len(shown)
    oldest = (row.left_out or {}).get(MOVEMENTS, 0)
    top = total if below is None else min(below, total)
    low = max(top - limit, oldest)
    if low >= total - len(shown):
        # Number n is the (total - 1 - n)th of the list, which is newest first.
        found = [(number, shown[total - 1 - number]) for number in range(top - 1, low - 1, -1)]
    else:
        found = _range(connection, process_number, MOVEMENTS, low, top)[::-1]
    return Part(found, total, bool(found) and found[-1][0] > oldest)


def read_parties(connection: Connection, process_number: str, *, after: int | None, limit: int) -> Part | None:
    """At most ``limit`` parties in the source's order, with numbers above ``after``; None as for movements."""
    row = _OWN_ROW[PARTIES].run(connection, {"number": str(process_number)}).one_or_none()
    if row is None:
        return None
    shown: list[Any] = row.shown
    total: int = row.total if row.total is not None else len(shown)
    end = total - (row.left_out or {}).get(PARTIES, 0)
    low = 0 if after is None else after + 1
    high = min(low + limit, end)
    if high <= len(shown):
        found = list(enumerate(shown[low:high], low))
    else:
        found = _range(connection, process_number, PARTIES, low, high)
    return Part(found, total, bool(found) and found[-1][0] < end - 1)


def _range(connection: Connection, process_number: str, kind: str, low: int, high: int) -> list[tuple[int, Any]]:
    """The stored items with numbers from ``low`` to before ``high``, in the order of their numbers."""
    wanted = {"number": str(process_number), "low": low, "high": high - 1}
    rows = _ROWS[kind].run(connection, wanted).all()
    found = [(first + index, item) for first, items in rows for index, item in enumerate(items)]
    return [(number, item) for number, item in found if low <= number < high]
