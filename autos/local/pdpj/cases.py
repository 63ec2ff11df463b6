"""The cases that the source holds: made when first asked for, kept while there is room, behaving as they were set."""

from __future__ import annotations

from collections import OrderedDict

from autos.local.pdpj import shapes
from autos.local.pdpj.bodies import BodyFactory
from autos.local.pdpj.control_model import CaseSetting, ExpectedCase, ExpectedDocument
from autos.local.pdpj.failures import FailurePlan
from autos.local.pdpj.generate import generate
from autos.local.pdpj.model import FiledDocument, SourceCase
from shared.domain.cnj import ProcessNumber

_KEPT_CASES = 1024


class HeldCase:
    """A generated case with its JSON and the sums of its documents, each made once."""

    def __init__(self, case: SourceCase) -> None:
        self.case = case
        self._portal: bytes | None = None
        self._data_lake: bytes | None = None
        self._data_lake_documents: bytes | None = None
        self._sums: dict[str, str] = {}

    def portal(self) -> bytes:
        if self._portal is None:
            self._portal = shapes.portal_case(self.case)
        return self._portal

    def data_lake(self) -> bytes:
        if self._data_lake is None:
            self._data_lake = shapes.data_lake_case(self.case)
        return self._data_lake

    def data_lake_documents(self) -> bytes:
        if self._data_lake_documents is None:
            self._data_lake_documents = shapes.data_lake_documents(self.case)
        return self._data_lake_documents

    def expected(self, bodies: BodyFactory, *, hashes: bool, exists: bool) -> ExpectedCase:
        """What a correct copy holds. Hashing takes about 3 ms a megabyte: call it in a thread."""
        documents = [self._expected(document, bodies, hashes) for document in self.case.documents] if exists else []
        return ExpectedCase(process_number=self.case.number, exists=exists, documents=documents)

    def _expected(self, document: FiledDocument, bodies: BodyFactory, hashes: bool) -> ExpectedDocument:
        if hashes and document.filing_id not in self._sums:
            self._sums[document.filing_id] = bodies.body(self.case.number, document).sha256()
        return ExpectedDocument(
            index=document.index,
            document_id=document.document_id,
            filing_id=document.filing_id,
            name=document.name,
            size=document.size,
            content_type=document.content_type,
            sha256=self._sums[document.filing_id] if hashes else None,
        )


class _SetCase:
    """A setting with what has happened under it."""

    def __init__(self, setting: CaseSetting) -> None:
        self.setting = setting
        self.failures = FailurePlan([failure.rule() for failure in setting.failures])
        self.reads = 0

    def extra_documents(self, reads: int) -> int:
        """How many documents were filed since, for somebody who comes after ``reads`` reads."""
        grow = self.setting.grow
        return grow.documents if grow is not None and reads >= grow.after_reads else 0


class CaseStore:
    """Every valid number is a case. The generated ones are kept by least recent use, the settings until deleted."""

    def __init__(self, kept_cases: int = _KEPT_CASES) -> None:
        self._kept_cases = kept_cases
        self._held: OrderedDict[tuple[ProcessNumber, int], HeldCase] = OrderedDict()
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
        """The case as the last read showed it: a list of documents that follows a read belongs to that read."""
        state = self._set.get(number, self._default)
        return self._hold(number, state, max(0, state.reads - 1))

    def _hold(self, number: ProcessNumber, state: _SetCase, reads: int) -> HeldCase:
        key = (number, state.extra_documents(reads))
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = HeldCase(generate(number, state.setting, key[1]))
            if len(self._held) > self._kept_cases:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(key)
        return held
