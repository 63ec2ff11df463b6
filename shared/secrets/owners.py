"""What a stored secret is about: the associated data that binds it to its row and its purpose.

A text opens only with the same words that it was encrypted with, so these never change.
"""

from __future__ import annotations


def client_secret(client_id: str) -> str:
    """The webhook secret of a client, the present one and the one before: a rotation moves it from one to the other."""
    return f"webhook secret of client {client_id}"


def endpoint_secret(endpoint_id: str) -> str:
    """The secret of a registered endpoint, the present one and the one before."""
    return f"webhook secret of endpoint {endpoint_id}"


def endpoint_headers(endpoint_id: str) -> str:
    """The headers that a client gave for an endpoint."""
    return f"headers of endpoint {endpoint_id}"


def source_token(name: str, kind: str) -> str:
    """A token of ``source.credentials``; ``kind`` is access or refresh."""
    return f"{kind} token of source {name}"


def api_key(key_id: str) -> str:
    """The SHA-256 of an API key, of which ``autos secrets rotate`` makes the hash with another pepper."""
    return f"digest of API key {key_id}"
