"""What the docstrings below the fields of a model say: for pages and schemas made of the code."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap

from pydantic import BaseModel


def documented(model: type[BaseModel]) -> dict[str, str]:
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
