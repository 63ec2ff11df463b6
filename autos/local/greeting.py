"""What a stack that has started tells the person who started it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from autos.local.state import Connections


def page_url(api_url: str, api_key: str, control_token: str | None) -> str:
    """The address of the page with the key in its fragment, which no server sees and the page removes at once."""
    given = {"key": api_key, **({"control": control_token} if control_token else {})}
    return f"{api_url}/#{urlencode(given)}"


def greeting(
    connections: Connections, replicas: Sequence[str], stack_file: Path, seconds: float, page: str | None
) -> str:
    """Where everything is. ``page`` is its address with the key; None for a log, which holds no secret."""
    return "\n".join(
        (
            f"Autos is ready ({seconds:.1f} s)",
            *([f"  open     {page}"] if page else []),
            f"  API      {connections.api_url}  (documentation: {connections.api_url}/docs)",
            *(f"  replica  {url}" for url in replicas),
            *([f"  API key  {connections.api_key}"] if page else []),
            f"  details  {stack_file}",
        )
    )
