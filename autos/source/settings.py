"""What the steps need to know: the source, and the database where the product keeps its tokens, if there is one."""

from __future__ import annotations

from sources.pdpj.settings import PdpjSettings


class DoctorSettings(PdpjSettings):
    """As the services', from the environment and ``.env``."""

    database_url: str | None = None
