"""The source's addresses: which request is which read, and the answer to it.

Order of the checks, as a proxy, a gateway and a service behind them would make: outage, limits, bearer token, then the
failures set for the case or the document, then the case itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from autos.local.pdpj import answers
from autos.local.pdpj.cases import HeldCase
from autos.local.pdpj.exchange import Ending, Reply, Request
from autos.local.pdpj.failures import FailureRule
from autos.local.pdpj.source import Source
from shared.domain.cnj import InvalidProcessNumber, ProcessNumber, parse

_EXTENSIONS: Final = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png", "video/mp4": "mp4"}
_SAO_PAULO: Final = "America/Sao_Paulo"  # the zone of every naive timestamp


class Read(StrEnum):
    """What a request reads; the value is the route's name in the counters."""

    PORTAL_CASE = "portal.case"
    PORTAL_DOCUMENT = "portal.document"
    PORTAL_TEXT = "portal.text"
    DATA_LAKE_CASE = "datalake.case"
    DATA_LAKE_DOCUMENTS = "datalake.documents"
    DATA_LAKE_DOCUMENT = "datalake.document"
    DATA_LAKE_TEXT = "datalake.text"
    DATA_LAKE_LAST_UPDATE = "datalake.last_update"


_CONTENT: Final = frozenset({Read.PORTAL_DOCUMENT, Read.DATA_LAKE_DOCUMENT})
_TEXT: Final = frozenset({Read.PORTAL_TEXT, Read.DATA_LAKE_TEXT})
_CASE: Final = frozenset({Read.PORTAL_CASE, Read.DATA_LAKE_CASE})


class Address(NamedTuple):
    """A read with the case number and the document id as they stand in the path."""

    read: Read
    number: str
    document_id: str


def address_of(method: str, path: str) -> Address | None:
    """None when no API of the source has this address."""
    if path.startswith("/portal/api/v2/processos/"):
        rest, portal = path[25:].split("/"), True
    elif path.startswith("/datalake/processo-api/api/v1/processos/"):
        rest, portal = path[40:].split("/"), False
    else:
        return None
    match rest:
        case [number] if number and method == "GET":
            return Address(Read.PORTAL_CASE if portal else Read.DATA_LAKE_CASE, number, "")
        case [number, "documentos", document_id, "binario"] if method == "GET":
            return Address(Read.PORTAL_DOCUMENT if portal else Read.DATA_LAKE_DOCUMENT, number, document_id)
        case [number, "documentos", document_id, "texto"] if method == "GET":
            return Address(Read.PORTAL_TEXT if portal else Read.DATA_LAKE_TEXT, number, document_id)
        case [number, "documentos"] if not portal and method == "GET":
            return Address(Read.DATA_LAKE_DOCUMENTS, number, "")
        case [number, "ultima-atualizacao"] if not portal and method in ("HEAD", "GET"):
            return Address(Read.DATA_LAKE_LAST_UPDATE, number, "")
        case _:
            return None


@lru_cache(maxsize=8192)
def number_in(text: str) -> ProcessNumber | None:
    """The case number in a path, with its mask or without; None when it is not one."""
    try:
        return parse(text)
    except InvalidProcessNumber:
        return None


class SourceRoutes:
    """Answers the reads of both APIs, and every other address with the shell page."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, request: Request) -> Reply:
        address = address_of(request.method, request.path)
        counters = self._source.counters
        if address is None:
            counters.arrived("shell")
            reply = (
                answers.shell() if request.method in ("GET", "HEAD") else answers.message(405, "Método não permitido")
            )
            counters.answered(str(reply.status))
            return reply
        counters.arrived(address.read)
        counters.began()
        number = number_in(address.number)
        if number is not None and address.read in _CONTENT:
            counters.began_document(number, address.document_id)
            reply, failure = self._answer(request, address, number)
            held_number = number

            def document_done(sent: int) -> None:
                counters.ended(sent)
                counters.ended_document(held_number)

            reply.done = document_done
        else:
            if number is not None and address.read in _CASE:
                counters.read_case(number)
            reply, failure = self._answer(request, address, number)
            reply.done = counters.ended
        counters.answered(_outcome(reply), failure)
        return reply

    def _answer(self, request: Request, address: Address, number: ProcessNumber | None) -> tuple[Reply, str | None]:
        """The answer, and the name of the failure it plays."""
        source = self._source
        setting = source.setting
        if setting.outage is not None:
            rule = FailureRule(setting.outage, retry_after=setting.retry_after)
            return self._play(rule, address, number), setting.outage
        if not source.admits():
            return answers.too_many(setting.retry_after), "over_the_limit"
        authorization = request.authorization or ""
        if not authorization.startswith("Bearer ") or not source.tokens.is_valid(authorization[7:]):
            return answers.unauthorized(), None
        if number is None or not source.cases.setting(number).exists:
            return _unknown(address), None
        failure = self._planned(address, number)
        if failure is not None:
            return self._play(failure, address, number), failure.kind
        return self._good(address, number, counts=True), None

    def _planned(self, address: Address, number: ProcessNumber) -> FailureRule | None:
        plan = self._source.cases.failures(number)
        if address.document_id:
            document = self._source.cases.get(number).case.by_id.get(address.document_id)
            return None if document is None else plan.for_document(document.index, document.document_id)
        return plan.for_last_update() if address.read is Read.DATA_LAKE_LAST_UPDATE else plan.for_case()

    def _play(self, rule: FailureRule, address: Address, number: ProcessNumber | None) -> Reply:
        good = _unknown(address) if number is None else self._good(address, number, counts=False)
        reply = answers.failure(rule, good)
        reply.delay = good.delay
        return reply

    def _good(self, address: Address, number: ProcessNumber, *, counts: bool) -> Reply:
        """The right answer; ``counts`` when it is going to be given, which lets a case grow."""
        cases = self._source.cases
        setting = cases.setting(number)
        if not setting.exists:
            return _unknown(address)
        match address.read:
            case Read.PORTAL_CASE:
                held = cases.read(number) if counts else cases.get(number)
                reply = Reply(200, answers.JSON, held.portal())
            case Read.DATA_LAKE_CASE:
                held = cases.read(number) if counts else cases.get(number)
                reply = Reply(200, answers.JSON, held.data_lake())
            case Read.DATA_LAKE_DOCUMENTS:
                reply = Reply(200, answers.JSON, cases.last_read(number).data_lake_documents())
            case Read.DATA_LAKE_LAST_UPDATE:
                reply = _last_update(cases.get(number))
            case _:
                reply = self._document(address, number)
                reply.bytes_per_second = setting.bytes_per_second
        reply.delay = self._source.delay(setting.latency)
        return reply

    def _document(self, address: Address, number: ProcessNumber) -> Reply:
        document = self._source.cases.get(number).case.by_id.get(address.document_id)
        if document is None:
            return answers.message(404, "Documento não encontrado")
        if address.read in _TEXT:
            text = f"{document.type_name}\n\nTexto do documento {document.filing_id} dos autos {number}.\n"
            return Reply(200, b"Content-Type: text/plain; charset=utf-8\r\n", text.encode())
        extension = _EXTENSIONS.get(document.kind.content_type, "html")
        headers = (
            f"Content-Type: {document.content_type}\r\n"
            f'Content-Disposition: inline; filename="{document.document_id}.{extension}"\r\n'
        )
        return Reply(200, headers.encode("latin-1"), self._source.bodies.body(number, document))


def _unknown(address: Address) -> Reply:
    """The portal answers an empty list for a case it does not know, the data lake 404."""
    return answers.json_reply(200, []) if address.read is Read.PORTAL_CASE else answers.message(404, "Não encontrado")


def _last_update(held: HeldCase) -> Reply:
    """Last-Modified (the last filing) and an ETag that changes with every filing."""
    moment = held.case.last_update
    modified = format_datetime(_in_utc(moment), usegmt=True)
    tag = f'"{moment:%Y%m%d%H%M%S%f}-{len(held.case.documents)}"'
    return Reply(200, f"Last-Modified: {modified}\r\nETag: {tag}\r\n".encode("latin-1"), b"")


def _in_utc(naive: datetime) -> datetime:
    return naive.replace(tzinfo=ZoneInfo(_SAO_PAULO)).astimezone(UTC)


def _outcome(reply: Reply) -> str:
    if reply.ending in (Ending.RESET, Ending.HANG) and reply.after_bytes is None:
        return reply.ending.name.lower()
    if reply.raw is not None:
        return "malformed"
    return str(reply.status)
