"""The settings of every source, and which court's cases are read from which (AUTOS_SOURCES)."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from sources.pdpj.settings import PdpjSettings

_COURT = re.compile(r"\d(\.\d{2}(\.\d{4})?)?(\.\*)?")


class SourceSettings(PdpjSettings):
    """Which court's cases are read from which source."""

    # The settings class of a further source is another base of this one.

    sources: dict[str, str] = Field(default_factory=dict)
    """JSON object from courts to names of sources: ``{"8.26": "esaj"}``. A court is the ``J``, ``J.TR`` or
    ``J.TR.OOOO`` of its case numbers, with or without ``.*``; the longest that fits decides, and PDPJ has the rest."""

    @field_validator("sources")
    @classmethod
    def _courts(cls, value: dict[str, str]) -> dict[str, str]:
        for court in value:
            if _COURT.fullmatch(court) is None:
                raise ValueError(f"{court!r} is no court: write J, J.TR or J.TR.OOOO of its case numbers, such as 8.26")
        return {court.removesuffix(".*"): name for court, name in value.items()}
