"""Checks that a library whose private members are used is of a tested version (docs/adr/0022)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from inspect import getattr_static


class UnsupportedLibrary(ImportError):
    """An installed library is not of the version that this code was tested with; the text says what to do."""


def check_library(
    name: str,
    series: str,
    members: Mapping[type, Sequence[str]],
    *,
    installed: Callable[[str], str] = version,
) -> None:
    """Raise UnsupportedLibrary unless ``name`` is of ``series`` (``0.15`` admits 0.15.3) and has these members.

    A member is an attribute of the class, or one that its ``__init__`` sets.
    """
    found = installed(name)
    missing = [f"{owner.__name__}.{member}" for owner, names in members.items() for member in _missing(owner, names)]
    if not f"{found}.".startswith(f"{series}."):
        reason = f"{name} {found} is installed, and {series} is what its private members were checked with"
    elif missing:
        reason = f"{name} {found} has no {', '.join(missing)}"
    else:
        return
    raise UnsupportedLibrary(
        f"{reason}. Before another version is used: see whether each member in "
        "docs/adr/0022-private-members-of-libraries.md still does what the table says, and run "
        "tests/unit/services/status and tests/integration/status."
    )


def _missing(owner: type, names: Sequence[str]) -> list[str]:
    set_in_init = getattr(getattr(getattr_static(owner, "__init__"), "__code__", None), "co_names", ())
    return [name for name in names if not hasattr(owner, name) and name not in set_in_init]
