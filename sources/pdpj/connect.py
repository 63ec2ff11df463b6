"""PDPJ as an entry of the registry: its credentials are kept in the database, for all processes."""

from __future__ import annotations

from sources.base import CourtSource, SourceContext
from sources.pdpj.auth.credentials import build_credentials
from sources.pdpj.auth.token_store import PostgresCredentialStore
from sources.pdpj.client import build_source
from sources.pdpj.settings import PdpjSettings


def connect(settings: PdpjSettings, context: SourceContext) -> CourtSource:
    """The portal or the data lake, as AUTOS_PDPJ_API says."""
    credentials = build_credentials(
        settings,
        store=PostgresCredentialStore(context.database, settings.secret_keys, clock=context.clock),
        read_only=context.read_only,
        clock=context.clock,
        on_refused=context.on_refused,
    )
    return build_source(settings, credentials=credentials, on_end=context.on_end)
