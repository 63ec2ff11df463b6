"""Which court a case number belongs to: its initials, name and segment as PDPJ shows them (CNJ Resolution 65/2008)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.domain.cnj import ProcessNumber

# Courts 01 to 27 of the state segments, in the order of the resolution.
_STATES: Final = tuple(
    "AC AL AP AM BA CE DF ES GO MA MT MS MG PA PB PR PE PI RJ RN RS RO RR SC SE SP TO".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Court:
    """``jtr`` is the segment and court digits, as in ``826``."""

    initials: str
    name: str
    segment: str
    jtr: str


def court_of(number: ProcessNumber) -> Court:
    """The court of a valid number; every segment has one, so this never fails."""
    court = int(number.court)
    jtr = f"{number.segment}{number.court}"
    state = _STATES[court - 1] if 1 <= court <= len(_STATES) else ""
    match number.segment:
        case "8":
            initials = "TJDFT" if state == "DF" else f"TJ{state}"
            return Court(initials, f"Tribunal de Justiça ({state})", "JUSTICA_ESTADUAL", jtr)
        case "4" if 1 <= court <= 6:
            return Court(f"TRF{court}", f"Tribunal Regional Federal da {court}ª Região", "JUSTICA_FEDERAL", jtr)
        case "5" if 1 <= court <= 24:
            name = f"Tribunal Regional do Trabalho da {court}ª Região"
            return Court(f"TRT{court}", name, "JUSTICA_TRABALHO", jtr)
        case "6" if state:
            return Court(f"TRE-{state}", f"Tribunal Regional Eleitoral ({state})", "JUSTICA_ELEITORAL", jtr)
        case "9":
            return Court(f"TJM{state}", f"Tribunal de Justiça Militar ({state})", "JUSTICA_MILITAR_ESTADUAL", jtr)
        case segment:
            initials = {"1": "STF", "2": "CNJ", "3": "STJ", "4": "CJF", "5": "TST", "6": "TSE", "7": "STM"}[segment]
            return Court(initials, f"Órgão superior {initials}", "TRIBUNAL_SUPERIOR", jtr)
