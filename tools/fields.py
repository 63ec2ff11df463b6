"""What the docstrings below the fields of a model say: for pages and schemas made of the code."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Mapping

from pydantic import BaseModel


@functools.cache
def documented(model: type[BaseModel]) -> Mapping[str, str]:
    """The docstring below each field, by the field's name."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError):
        return {}
    found: dict[str, str] = {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            value = below.value.value if isinstance(below.value, ast.Constant) else None
            if isinstance(value, str):
                found[field.target.id] = re.sub(r"\s+", " ", value.strip())
    return found
