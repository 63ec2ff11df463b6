"""The right answers of both interfaces: a case, what is listed of it, the content of a document, and an absent case."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

import orjson

from autos.local.pdpj import answers, lake, portal, writing
from autos.local.pdpj.addresses import FILES_ROOT, SEARCH, TEXT, Address, Read
from autos.local.pdpj.bodies import text_of
from autos.local.pdpj.cases import HeldCase
from autos.local.pdpj.exchange import Reply, Request
from autos.local.pdpj.model import FiledDocument, SourceCase
from autos.local.pdpj.oddities import OddityKind
from autos.local.pdpj.source import Source
from shared.domain.cnj import ProcessNumber

_EXTENSIONS: Final = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "video/mp4": "mp4",
    "application/pkcs7-signature": "p7s",
}
_URL_SECONDS: Final = 300
_OF_THE_CASE: Final[dict[Read, Callable[[SourceCase], bytes]]] = {
    Read.PORTAL_CASE: portal.case_answer,
    Read.DATA_LAKE_CASE: lake.case_answer,
}
_OF_THE_LAST_READ: Final[dict[Read, Callable[[SourceCase], bytes]]] = {
    Read.DATA_LAKE_DOCUMENTS: lake.documents_answer,
    Read.DATA_LAKE_MOVEMENTS: lake.movements_answer,
    Read.DATA_LAKE_PARTIES: lake.parties_answer,
    Read.PORTAL_SEARCH: portal.search,
    Read.DATA_LAKE_SEARCH: lake.search,
}
_YES_OR_NO: Final = frozenset({Read.DATA_LAKE_EXISTS, Read.DATA_LAKE_ACCESS})


class Reads:
    """Answers as the source does when nothing fails."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def absent(self, address: Address) -> Reply:
        """A case that the source does not have.

        The portal answers an empty list. The lake answers 500 on the case's own routes, and 404 in the search.
        """
        if address.read is Read.DATA_LAKE_SEARCH:
            return answers.no_records()
        if address.read is Read.PORTAL_SEARCH:
            return Reply(200, answers.JSON, portal.search(None))
        if address.read is Read.PORTAL_CASE:
            return answers.json_reply(200, [])
        if address.read in _YES_OR_NO:
            return answers.json_reply(200, False)
        if address.read.of_lake:
            return answers.message(500, "Erro interno no servidor")
        return answers.message(404, "Não encontrado")

    def answer(self, request: Request, address: Address, number: ProcessNumber, *, counts: bool) -> Reply:
        """The right answer; ``counts`` when it is going to be given, which lets a case grow."""
        cases = self._source.cases
        setting = cases.setting(number)
        if not setting.exists:
            return self.absent(address)
        read = address.read
        if (make := _OF_THE_CASE.get(read)) is not None:
            held = cases.read(number) if counts else cases.get(number)
            reply = Reply(200, answers.JSON, _at_home(request, held, held.json(make)))
        elif (make := _OF_THE_LAST_READ.get(read)) is not None:
            held = cases.get(number) if read in SEARCH else cases.last_read(number)
            reply = Reply(200, answers.JSON, _at_home(request, held, held.json(make)))
        elif read in _YES_OR_NO:
            reply = answers.json_reply(200, True)
        elif read is Read.DATA_LAKE_LAST_UPDATE:
            reply = _last_update(cases.get(number))
        else:
            reply = self._content(request, address, number)
            reply.bytes_per_second = setting.bytes_per_second
        reply.delay = self._source.delay(setting.latency)
        return reply

    def _content(self, request: Request, address: Address, number: ProcessNumber) -> Reply:
        document = self._source.cases.last_read(number).case.by_id.get(address.document_id)
        if document is None or OddityKind.FILE_LATE in document.oddities:
            return answers.message(404, "Documento não encontrado")
        if address.read in TEXT:
            return _text(number, document)
        if not document.has_binary:
            return answers.message(404, "Documento não encontrado")
        if address.read is Read.DATA_LAKE_DOCUMENT_URL:
            return self._temporary_address(request, number, document)
        if address.read is Read.DATA_LAKE_FILE and not self._source.is_current(request.query):
            return answers.message(403, "Endereço temporário expirado")
        if address.read.of_lake:
            served = document.in_the_lake()
            # HTML comes without a charset, whatever it is in.
            media_type = (
                document.content_type.partition(";")[0] if "html" in document.content_type else document.content_type
            )
        else:
            served, media_type = document, document.content_type
        extension = _EXTENSIONS.get(document.kind.media_type, "html")
        file = f"{document.document_id}.{extension}"
        headers = f'Content-Type: {media_type}\r\nContent-Disposition: inline; filename="{file}"\r\n'
        return Reply(200, headers.encode("latin-1"), self._source.bodies.body(number, served))

    def _temporary_address(self, request: Request, number: ProcessNumber, document: FiledDocument) -> Reply:
        path = f"{FILES_ROOT}{number}/{quote(document.source_id)}"
        query = self._source.valid_for(_URL_SECONDS)
        return Reply(200, answers.TEXT, f"http://{request.host}{path}?{query}".encode())


def _at_home(request: Request, held: HeldCase, body: bytes) -> bytes:
    """With the address that the source was asked at in place of its mark."""
    return body.replace(portal.ORIGIN.encode(), f"http://{request.host}".encode()) if held.absolute else body


def _text(number: ProcessNumber, document: FiledDocument) -> Reply:
    """Declared as a JSON string, seen as plain text in UTF-8."""
    text = text_of(number, document)
    if OddityKind.TEXT_AS_JSON in document.oddities:
        return Reply(200, answers.JSON, orjson.dumps(text))
    return Reply(200, answers.TEXT, text.encode())


def _last_update(held: HeldCase) -> Reply:
    """Last-Modified (the last filing) and an ETag that changes with every filing.

    Which header carries the time is not declared; that it is one of these is a guess.
    """
    moment = held.case.last_update
    modified = format_datetime(writing.in_utc(moment), usegmt=True)
    tag = f'"{moment:%Y%m%d%H%M%S%f}-{len(held.case.documents)}"'
    return Reply(200, f"Last-Modified: {modified}\r\nETag: {tag}\r\n".encode("latin-1"), b"")
