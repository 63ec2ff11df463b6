"""Every type of event there is: each module of ``shared/webhooks/event_types`` is one (CONTRIBUTING.md).

A type with a new cause needs a fact in facts.py too, and the code that emits it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.webhooks import event_types
from shared.webhooks.event_type import EventType
from shared.webhooks.facts import Facts


def _found() -> dict[str, EventType[Any]]:
    modules = (
        importlib.import_module(f"{event_types.__name__}.{found.name}")
        for found in pkgutil.iter_modules(event_types.__path__)
    )
    kinds: list[EventType[Any]] = [module.EVENT_TYPE for module in modules]
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: kind.name)}


EVENT_TYPES: Final[Mapping[str, EventType[Any]]] = MappingProxyType(_found())
"""By name."""
SUBSCRIBABLE: Final = tuple(name for name, kind in EVENT_TYPES.items() if kind.subscribable)
"""What an endpoint may ask for."""
OF_CASES: Final = tuple(name for name in SUBSCRIBABLE if EVENT_TYPES[name].of_case)
"""The types that a feed contains when a request names none."""
DEFAULT: Final = tuple(name for name in SUBSCRIBABLE if not EVENT_TYPES[name].on_request)
"""The types that an endpoint receives when it was registered without any."""


def made_of(facts: type[Facts]) -> tuple[EventType[Any], ...]:
    """The types that such facts cause and that endpoints may ask for."""
    return tuple(kind for kind in EVENT_TYPES.values() if kind.facts is facts and kind.subscribable)
