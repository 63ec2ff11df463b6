"""The answer to each read of the source, and the order in which a request is looked at.

As a proxy, a gateway and a service behind them would look at it: outage, limits, bearer token, then the failures set
for the case or the document, then the case itself (:mod:`autos.local.pdpj.reads`).
"""

from __future__ import annotations

from urllib.parse import parse_qs

from autos.local.pdpj import answers
from autos.local.pdpj.addresses import CASE, CONTENT, LAKE_HOST, SEARCH, Address, Read, address_of, number_in
from autos.local.pdpj.exchange import Ending, Reply, Request
from autos.local.pdpj.failures import FailureKind, FailureRule
from autos.local.pdpj.playing import FOLLOWED, failure
from autos.local.pdpj.reads import Reads
from autos.local.pdpj.source import Source
from shared.domain.cnj import ProcessNumber

_REDIRECTS = frozenset({FailureKind.REDIRECT_SAME_ORIGIN, FailureKind.REDIRECT_OTHER_ORIGIN})


class SourceRoutes:
    """Answers the reads of both APIs; every other address is the portal's shell page, or the lake gateway's 404."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reads = Reads(source)

    def __call__(self, request: Request) -> Reply:
        address = address_of(request.method, request.path)
        counters = self._source.counters
        if address is None:
            counters.arrived("shell")
            reply = _elsewhere(request)
            counters.answered(str(reply.status))
            return reply
        counters.arrived(address.read)
        counters.began()
        if address.read in SEARCH:
            address = address._replace(number=_searched(request.query))
        number = number_in(address.number)
        if number is not None and address.read in CONTENT:
            counters.began_document(number, address.document_id)
            reply, played = self._answer(request, address, number)
            held_number = number

            def document_done(sent: int) -> None:
                counters.ended(sent)
                counters.ended_document(held_number)

            reply.done = document_done
        else:
            if number is not None and address.read in CASE:
                counters.read_case(number)
            reply, played = self._answer(request, address, number)
            reply.done = counters.ended
        counters.answered(_outcome(reply), played)
        return reply

    def _answer(self, request: Request, address: Address, number: ProcessNumber | None) -> tuple[Reply, str | None]:
        """The answer, and the name of the failure it plays."""
        source = self._source
        setting = source.setting
        if setting.outage is not None:
            rule = FailureRule(setting.outage, retry_after=setting.retry_after)
            return self._play(rule, request, address, number), setting.outage
        if not source.admits():
            return answers.too_many(setting.retry_after), "over_the_limit"
        authorization = request.authorization or ""
        is_known = authorization.startswith("Bearer ") and source.tokens.is_valid(authorization[7:])
        if not is_known and address.read is not Read.DATA_LAKE_FILE:
            return answers.unauthorized(), None
        if number is None:
            return self._reads.absent(address), None
        rule_for = self._planned(request, address, number)
        if rule_for is not None:
            return self._play(rule_for, request, address, number), rule_for.kind
        return self._reads.answer(request, address, number, counts=True), None

    def _planned(self, request: Request, address: Address, number: ProcessNumber) -> FailureRule | None:
        cases = self._source.cases
        plan = cases.failures(number)
        if address.document_id:
            document = cases.last_read(number).case.by_id.get(address.document_id)
            rule = None if document is None else plan.for_document(document.index, document.source_id)
        elif address.read is Read.DATA_LAKE_LAST_UPDATE:
            rule = plan.of("last_update")
        elif address.read is Read.DATA_LAKE_DOCUMENTS:
            rule = plan.of("list", "case")
        elif address.read in SEARCH:
            rule = plan.of("search")
        else:
            rule = plan.of("case")
        followed = request.query == FOLLOWED and rule is not None and rule.kind in _REDIRECTS
        return None if followed else rule

    def _play(self, rule: FailureRule, request: Request, address: Address, number: ProcessNumber | None) -> Reply:
        good = (
            self._reads.absent(address)
            if number is None
            else self._reads.answer(request, address, number, counts=False)
        )
        reply = failure(rule, good, request.path)
        reply.delay = good.delay
        return reply


def _searched(query: str) -> str:
    """The number that a search is for; any other search finds nothing here, and there is no second page."""
    fields = parse_qs(query)
    return "" if "searchAfter" in fields else fields.get("numeroProcesso", [""])[0]


def _elsewhere(request: Request) -> Reply:
    if request.method not in ("GET", "HEAD"):
        return answers.message(405, "Método não permitido")
    return answers.gateway_404() if request.path.startswith(LAKE_HOST) else answers.shell()


def _outcome(reply: Reply) -> str:
    if reply.ending in (Ending.RESET, Ending.HANG) and reply.after_bytes is None:
        return reply.ending.name.lower()
    if reply.raw is not None:
        return "malformed"
    return str(reply.status)
