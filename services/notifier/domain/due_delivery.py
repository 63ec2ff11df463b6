"""A delivery that is due, as far as its turn depends on it: whom it goes to and whose it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery of one endpoint. Limits count by ``endpoint_id``, ``origin`` and ``client_id``."""

    delivery_id: str
    endpoint_id: str
    origin: str
    client_id: str
    least_seconds: float | None = None
    """Between two deliveries of its endpoint; None: as the settings say."""
