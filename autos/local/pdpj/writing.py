"""What both interfaces write alike: times, amounts, levels, lawyers. The oddities that change their form are here."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Set
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from autos.local.pdpj.model import SECRECY, Docket, FiledDocument, Party, SourceCase
from autos.local.pdpj.oddities import OddityKind

Json = dict[str, Any]
TimeWriter = Callable[[datetime], object]

INSTANCES: Final = {1: "PRIMEIRO_GRAU", 2: "SEGUNDO_GRAU"}
SECOND_COURT: Final = {
    "sigla": "STJ", "nome": "Superior Tribunal de Justiça", "segmento": "TRIBUNAL_SUPERIOR", "jtr": "300"
}  # fmt: skip
COMMON_SIZE: Final = 122_912
"""Bytes that a listing gives for several documents of one case, as seen; a size in a listing is a hint."""
SEALED_LEVEL: Final = 3
_SAO_PAULO: Final = "America/Sao_Paulo"  # the zone of every naive timestamp
_UNKNOWN_LEVEL: Final = "RESTRITO_AO_GABINETE"


def number_of(text: str) -> int:
    """A number that follows from the text, in 31 bits."""
    return zlib.crc32(text.encode()) >> 1


def in_utc(naive: datetime) -> datetime:
    """The source's local time as an aware one."""
    return naive.replace(tzinfo=ZoneInfo(_SAO_PAULO)).astimezone(UTC)


def naive_timestamp(moment: datetime) -> str:
    """``2023-05-04T10:20:30.12``: no zone, one to three digits of fraction or none, as Java prints a LocalDateTime."""
    fraction = f".{moment.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}"


_FORMS: Final[dict[OddityKind, TimeWriter]] = {
    OddityKind.DATES_BRAZILIAN: lambda moment: f"{moment:%d/%m/%Y %H:%M:%S}",
    OddityKind.DATES_COMPACT: lambda moment: f"{moment:%Y%m%d%H%M%S}",
    OddityKind.DATES_EPOCH: lambda moment: int(in_utc(moment).timestamp() * 1000),
    OddityKind.DATES_ZONED: lambda moment: in_utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    OddityKind.DATES_SPACED: lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}",
}


def time_writer(case: SourceCase) -> TimeWriter:
    """How this case writes its times."""
    return next((form for kind, form in _FORMS.items() if kind in case.oddities), naive_timestamp)


def amount(case: SourceCase) -> object:
    """The claim's value in reais: a number, but for an oddity."""
    if OddityKind.MONEY_BRAZILIAN in case.oddities:
        return f"{case.claim_value:,.2f}".translate(str.maketrans(",.", ".,"))
    return f"{case.claim_value:.2f}" if OddityKind.MONEY_TEXT in case.oddities else case.claim_value


def case_secrecy(case: SourceCase) -> object:
    """The case's level: a number, but for an oddity."""
    if OddityKind.CASE_SECRECY_UNKNOWN in case.oddities:
        return _UNKNOWN_LEVEL
    return SECRECY[case.secrecy_level] if OddityKind.CASE_SECRECY_WORD in case.oddities else case.secrecy_level


def docket_secrecy(case: SourceCase) -> int:
    """The level that a docket says; of an oddity a stricter one than the case's."""
    return SEALED_LEVEL if OddityKind.DOCKET_SECRECY in case.oddities else case.secrecy_level


def document_secrecy(document: FiledDocument) -> object:
    """The document's level: a word, but for an oddity."""
    if OddityKind.SECRECY_UNKNOWN in document.oddities:
        return _UNKNOWN_LEVEL
    if OddityKind.SECRECY_NUMBER in document.oddities:
        return SECRECY.index(document.secrecy) if document.secrecy in SECRECY else len(SECRECY) - 1
    return document.secrecy


def filed(document: FiledDocument, write: TimeWriter) -> Json:
    """What both interfaces say alike of a document: without its type, its file and where it is."""
    return {
        "sequencia": document.sequence,
        "dataHoraJuntada": write(document.filed_at),
        "idCodex": document.codex_id,
        "idOrigem": str(number_of(document.filing_id)),
        "nome": document.name,
        "nivelSigilo": document_secrecy(document),
    }


def listed_size(document: FiledDocument) -> int:
    """Bytes."""
    return COMMON_SIZE if OddityKind.SIZE_HINT in document.oddities else document.size


def lists(case: SourceCase, value: Json) -> Json:
    """Empty lists as null, where the case has that oddity."""
    if OddityKind.NULL_LISTS not in case.oddities:
        return value
    return {name: None if item == [] else item for name, item in value.items()}


def documents_in(kinds: Set[OddityKind], documents: list[Json]) -> object:
    """A list of documents in the form that the case gives it: an array, or an object with the array inside."""
    return {"documentos": documents} if OddityKind.DOCUMENTS_AS_OBJECT in kinds else documents


def subjects(case: SourceCase) -> list[Json]:
    """``assunto``: an array, also when there is one."""
    return [{"codigo": s.code, "descricao": s.name, "hierarquia": s.path} for s in case.subjects]


def court(case: SourceCase) -> Json:
    """``tribunal`` without what only one of the interfaces adds."""
    found = case.court
    return {"sigla": found.initials, "nome": found.name, "segmento": found.segment, "jtr": found.jtr}


def tax_numbers(party: Party) -> list[Json]:
    """``documentosPrincipais``."""
    return [{"numero": party.tax_id, "tipo": "CNPJ" if party.is_company else "CPF"}]


def lawyers(case: SourceCase, party: Party) -> list[Json]:
    """``representantes``."""
    if party.lawyer is None:
        return []
    state = case.court.initials[-2:] if case.court.segment == "JUSTICA_ESTADUAL" else "SP"
    oab = [{"numero": party.lawyer_number, "tipoRegistro": "ADVOGADO", "uf": state}]
    return [{"nome": party.lawyer, "tipoRepresentacao": "ADVOGADO", "situacao": "ATIVO", "oab": oab}]


def related_number(number: str) -> str:
    """20 digits, as in ``href`` of a related case."""
    return "".join(filter(str.isdigit, number))


def newest_first(docket: Docket) -> list[FiledDocument]:
    """The documents as both interfaces list them."""
    return list(reversed(docket.documents))
