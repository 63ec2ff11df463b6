"""The cases that the source holds: made when first asked for, kept while there is room, behaving as they were set."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from autos.local.pdpj.bodies import BodyFactory, text_of
from autos.local.pdpj.control_model import CaseSetting, ExpectedCase, ExpectedDocument
from autos.local.pdpj.failures import FailurePlan
from autos.local.pdpj.generate import generate
from autos.local.pdpj.model import ContentKind, FiledDocument, SourceCase
from autos.local.pdpj.oddities import OddityKind, OddityRule
from shared.domain.cnj import ProcessNumber

_KEPT_CASES = 1024


class HeldCase:
    """A generated case with its JSON and the sums of its documents, each made once."""

    def __init__(self, case: SourceCase) -> None:
        self.case = case
        self.absolute = any(OddityKind.HREF_ABSOLUTE in document.oddities for document in case.documents)
        """Whether addresses in it are to name the host that is asked."""
        self._made: dict[Callable[[SourceCase], bytes], bytes] = {}
        self._sums: dict[tuple[str, int, ContentKind], str] = {}

    def json(self, make: Callable[[SourceCase], bytes]) -> bytes:
        """What ``make`` makes of the case."""
        made = self._made.get(make)
        if made is None:
            made = self._made[make] = make(self.case)
        return made

    def expected(self, bodies: BodyFactory, *, hashes: bool, exists: bool, lake: bool) -> ExpectedCase:
        """What a correct copy holds. Hashing takes about 3 ms a megabyte: call it in a thread."""
        documents = (
            [self._expected(document, bodies, hashes, lake) for document in self.case.documents] if exists else []
        )
        return ExpectedCase(process_number=self.case.number, exists=exists, documents=documents)

    def _expected(self, document: FiledDocument, bodies: BodyFactory, hashes: bool, lake: bool) -> ExpectedDocument:
        if not document.has_binary:
            return self._expected_text(document, hashes)
        served = document.in_the_lake() if lake else document
        key = (document.filing_id, document.version, served.kind)
        if hashes and key not in self._sums:
            self._sums[key] = bodies.body(self.case.number, served).sha256()
        return ExpectedDocument(
            index=document.index,
            document_id=document.document_id,
            source_id=document.source_id,
            filing_id=document.filing_id,
            name=document.name,
            size=document.size,
            content_type=served.kind.true_type if lake else document.content_type,
            sha256=self._sums[key] if hashes else None,
        )

    def _expected_text(self, document: FiledDocument, hashes: bool) -> ExpectedDocument:
        text = text_of(self.case.number, document).encode()
        return ExpectedDocument(
            index=document.index,
            document_id=document.document_id,
            source_id=document.source_id,
            filing_id=document.filing_id,
            name=document.name,
            size=len(text),
            content_type="text/plain; charset=utf-8",
            sha256=hashlib.sha256(text).hexdigest() if hashes else None,
            rendition="text",
        )


class _SetCase:
    """A setting with what has happened under it."""

    def __init__(self, setting: CaseSetting) -> None:
        self.setting = setting
        self.failures = FailurePlan([failure.rule() for failure in setting.failures])
        self.oddities = [oddity.rule() for oddity in setting.oddities]
        self.reads = 0

    def extra_documents(self, reads: int) -> int:
        """How many documents were filed since, for somebody who comes after ``reads`` reads."""
        grow = self.setting.grow
        return grow.documents if grow is not None and reads >= grow.after_reads else 0

    def shown_oddities(self, reads: int) -> tuple[OddityRule, ...]:
        """The oddities that show for somebody who comes after ``reads`` reads."""
        return tuple(rule for rule in self.oddities if rule.shows(reads)) if self.oddities else ()


class CaseStore:
    """Every valid number is a case. The generated ones are kept by least recent use, the settings until deleted."""

    def __init__(self, kept_cases: int = _KEPT_CASES) -> None:
        self._kept_cases = kept_cases
        self._held: OrderedDict[tuple[ProcessNumber, int, tuple[OddityRule, ...]], HeldCase] = OrderedDict()
        self._set: dict[ProcessNumber, _SetCase] = {}
        self._default = _SetCase(CaseSetting())

    def put(self, number: ProcessNumber, setting: CaseSetting) -> HeldCase:
        """Set a case anew: its failures and its growth start from the beginning."""
        self.delete(number)
        self._set[number] = _SetCase(setting)
        return self.get(number)

    def delete(self, number: ProcessNumber) -> None:
        """Forget a setting: the case becomes again what follows from its number."""
        self._set.pop(number, None)
        for key in [key for key in self._held if key[0] == number]:
            del self._held[key]

    def clear(self) -> None:
        self._set.clear()
        self._held.clear()

    def setting(self, number: ProcessNumber) -> CaseSetting:
        return self._set.get(number, self._default).setting

    def failures(self, number: ProcessNumber) -> FailurePlan:
        return self._set.get(number, self._default).failures

    def get(self, number: ProcessNumber) -> HeldCase:
        """The case as the next read of it will show it."""
        state = self._set.get(number, self._default)
        return self._hold(number, state, state.reads)

    def read(self, number: ProcessNumber) -> HeldCase:
        """The case for an answered read of it, which counts for the growth."""
        held = self.get(number)
        if number in self._set:
            self._set[number].reads += 1
        return held

    def last_read(self, number: ProcessNumber) -> HeldCase:
        """The case as the last read showed it: the documents and the lists that follow a read belong to that read."""
        state = self._set.get(number, self._default)
        return self._hold(number, state, max(0, state.reads - 1))

    def _hold(self, number: ProcessNumber, state: _SetCase, reads: int) -> HeldCase:
        key = (number, state.extra_documents(reads), state.shown_oddities(reads))
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = HeldCase(generate(number, state.setting, key[1], key[2]))
            if len(self._held) > self._kept_cases:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(key)
        return held
