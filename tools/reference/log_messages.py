"""docs/reference/log-messages.md from the log calls in the code, found in its syntax trees. Pure, but for reading them.

A message is a constant text at the call, so that it can be searched; what varies are the fields given as ``extra``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.reference.markdown import table

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("services", "shared", "sources", "ops")
LEVELS: Final = ("error", "warning", "info", "debug")
_METHODS: Final = {"critical": "error", "exception": "error", **{level: level for level in LEVELS}}
_OUTAGE: Final = {"began": "warning", "over": "info"}
"""Arguments of shared.concurrency.outage.Outage: an outage is logged once when it begins, and once when it is over."""
_FAILED: Final = "failed"
"""The argument that another error of a try is logged with, where there is one."""
_INTRODUCTION: Final = """\
# Log messages

Made by `python -m tools.reference` from the log calls in the code; `make check` refuses a difference. What a message of
WARNING or above means, and what to do about it, is in [operations.md](../operations.md#log-lines-at-warning-and-above).

A line has `ts`, `level`, `service`, `logger`, `message` and the fields below; a logger is the module that logs. Lines
hold no secret, no personal data and no name of a document. AUTOS_LOG_LEVEL (INFO) is the least level that is written.
"""


class Varying(ValueError):
    """A log call whose message is not a constant text."""


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A message with its level, the module that logs it, and the fields that stand at the call."""

    level: str
    text: str
    module: str
    fields: tuple[str, ...]


def messages(root: Path = ROOT) -> list[LogMessage]:
    """Every message, by level, module and text. Raises Varying."""
    found = {
        message
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
        for message in _of(path, path.relative_to(root).with_suffix("").as_posix().replace("/", "."))
    }
    return sorted(found, key=lambda one: (LEVELS.index(one.level), one.module, one.text))


def _of(path: Path, module: str) -> Iterator[LogMessage]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = _dictionaries(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
        if isinstance(node.func, ast.Name) and node.func.id == "Outage":
            own = tuple(sorted(set(named) - set(_OUTAGE) - {_FAILED}))
            for argument, level in _OUTAGE.items():
                yield LogMessage(level, _constant(named[argument], module), module, own)
            if _FAILED in named:
                yield LogMessage("error", _constant(named[_FAILED], module), module, (*own, "error", "reason"))
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS and _is_logger(node.func.value):
            yield LogMessage(
                _METHODS[node.func.attr], _constant(node.args[0], module), module, _fields(named.get("extra"), known)
            )


def _is_logger(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "_log"


def _constant(value: ast.expr, module: str) -> str:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    raise Varying(f"{module}: the message {ast.unparse(value)} is no constant text")


def _dictionaries(tree: ast.AST) -> dict[str, ast.Dict]:
    """The literal dictionaries of a module: by the variable that has one, and by the function that returns one."""
    found: dict[str, ast.Dict] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as made):
                found[name] = made
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict() as made):
                found[name] = made
            case ast.FunctionDef(name=name, body=[*_, ast.Return(value=ast.Dict() as made)]):
                found[name] = made
    return found


def _fields(extra: ast.expr | None, known: Mapping[str, ast.Dict]) -> tuple[str, ...]:
    match extra:
        case ast.Dict(keys=keys):
            return tuple(str(key.value) for key in keys if isinstance(key, ast.Constant))
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name in known:
            return _fields(known[name], known)
        case _:
            return ()


def page() -> str:
    """The whole page. Raises Varying."""
    parts = [_INTRODUCTION]
    found = messages()
    for level in LEVELS:
        rows = [
            [f"`{one.text}`", f"`{one.module}`", ", ".join(f"`{name}`" for name in one.fields)]
            for one in found
            if one.level == level
        ]
        parts.append(f"## {level.upper()}\n")
        parts.append(table(("Message", "Logger", "Fields"), rows))
    return "\n".join(parts)
