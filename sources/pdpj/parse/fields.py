"""Reading one value out of JSON that cannot be trusted: each function answers a clean value or None, never an error.

Text loses what PostgreSQL and JSON cannot keep (NUL, lone surrogates); numbers outside the columns that hold them
count as missing.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

_INT4: Final = 2**31 - 1
_INT8: Final = 2**63 - 1
_MAX_MONEY: Final = Decimal(10) ** 16
_MAX_TEXT: Final = 4000
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CENT: Final = Decimal("0.01")
_CURRENCY: Final = re.compile(r"^\s*R\$|\s")


def read_json(body: bytes) -> Any:
    """The JSON value. Raises ValueError when there is none.

    What the fast and strict reader refuses (Latin-1, NaN, lone surrogates, control characters inside of a text) is
    read by the lenient one: one bad character in a party's name must not hide a case.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    try:
        return json.loads(text, strict=False, parse_int=_whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(digits: str) -> int | float:
    """Python refuses to read more than 4,300 digits: one such number must not hide a case either."""
    return int(digits) if len(digits) <= 400 else float(digits)


def as_dict(value: object) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The array; one object counts as an array of it, anything else as an empty one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def first(value: object) -> dict[str, Any]:
    """The first object of an array (or the object itself), or an empty one."""
    return next((item for item in as_list(value) if isinstance(item, dict)), {})


def text(value: object, limit: int = _MAX_TEXT) -> str | None:
    """A text that is not blank, of at most ``limit`` characters; a number counts as its digits."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _INT8:
            return None
        value = str(value)
    kept = value[: 4 * limit]
    if not kept.isascii():
        kept = kept.encode("utf-8", "replace").decode()
    kept = kept.replace("\x00", "").strip()[:limit]
    return kept or None


def integer(value: object, *, limit: int = _INT4) -> int | None:
    """A whole number from 0 to ``limit``, also as digits in a text."""
    if isinstance(value, str) and (digits := re.fullmatch(r"\s*([0-9]{1,19})\s*", value)) is not None:
        value = int(digits[1])
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    # A bool is an int, and no number.
    return value if type(value) is int and 0 <= value <= limit else None


def byte_count(value: object) -> int | None:
    """A size in bytes."""
    return integer(value, limit=_INT8)


def count(value: object) -> int | None:
    """A number of things of which there is at least one: 0 is how the source says that it does not know."""
    return integer(value) or None


def money(value: object) -> Decimal | None:
    """An amount in reais with cents, below 10^16; also as ``R$ 1.234,56``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(_plain_amount(value) if isinstance(value, str) else str(value))
        if not amount.is_finite() or abs(amount) >= _MAX_MONEY:
            return None
        return amount.quantize(_CENT)
    except (InvalidOperation, ValueError):  # ValueError: an int of more digits than Python prints
        return None


def _plain_amount(written: str) -> str:
    """``1.234,56`` and ``1,234.56`` as ``1234.56``: the last mark is the decimal one unless it groups thousands."""
    kept = _CURRENCY.sub("", written[:64])
    if re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{3})+", kept):
        return kept.replace(".", "")
    if kept.rfind(",") > kept.rfind("."):
        return kept.replace(".", "").replace(",", ".")
    return kept.replace(",", "")


def uuid_text(value: object) -> str | None:
    """A UUID in its 36-character form, in lower case."""
    if not isinstance(value, str):
        return None
    lowered = value.strip().lower()
    return lowered if _UUID.fullmatch(lowered) else None
