"""``doctor --deep`` on the system while everything happens to it: it must not cry wolf, and must not be in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError

from ops.invariants.findings import Patience, Rule
from shared.errors import InfrastructureAway
from tests.chaos.verdict import invariants
from tests.product import Product

_EVERY_SECONDS: Final = 5.0
_TRUE_WHILE_A_SERVER_IS_AWAY: Final = frozenset({Rule.OUTBOX_UNPUBLISHED, Rule.GROUP_UNREAD, Rule.GROUP_STALLED})


@dataclass
class Watched:
    """What the checks of a storm came to."""

    looks: int = 0
    interrupted: int = 0
    """Looks that a server's death cut short."""
    false_alarms: list[str] = field(default_factory=list)


@contextmanager
def watching(product: Product) -> Iterator[Watched]:
    """Check again and again until the block ends. An unexpected error ends up among the false alarms."""
    watched, stop = Watched(), threading.Event()

    def watch() -> None:
        while not stop.wait(_EVERY_SECONDS):
            try:
                with invariants(product, hashes=False, patience=Patience()) as check:
                    found = check.run()
            except (InfrastructureAway, SQLAlchemyError, BaseError, OSError):
                watched.interrupted += 1
                continue
            # A thread's last resort: the storm must hear of it.
            except Exception as error:  # noqa: BLE001
                watched.false_alarms.append(f"{type(error).__name__}: {error}")
                return
            watched.looks += 1
            watched.false_alarms += [
                mismatch.words for mismatch in found.mismatches if mismatch.rule not in _TRUE_WHILE_A_SERVER_IS_AWAY
            ]

    thread = threading.Thread(target=watch, name="watching")
    thread.start()
    try:
        yield watched
    finally:
        stop.set()
        thread.join(120)
