"""What files differ from what a manifest lists. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from autos.verification.manifest import ListedDocument, shown


class FoundFile(NamedTuple):
    """A file as it was read. ``size`` in bytes; ``sha256`` is None when it was not read whole: ``reason`` says why."""

    sha256: str | None
    size: int
    reason: str = ""


@dataclass
class Findings:
    """What is not as signed, each a sentence's subject; ``good`` counts the documents that are, of ``wanted``."""

    wanted: int
    good: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is missing, changed or extra."""
        return not (self.missing or self.changed or self.extra)

    def kinds(self) -> dict[str, list[str]]:
        """The findings by what they are."""
        return {"missing": self.missing, "changed": self.changed, "extra": self.extra}


def compare_named(
    documents: Iterable[tuple[ListedDocument, str]], found: Mapping[str, FoundFile], left: Iterable[ListedDocument] = ()
) -> Findings:
    """Files against documents of which each has a name; ``left`` are those without one, which have no file.

    A name is no proof of the bytes: a file under the name of another document is changed.
    """
    named, left = list(documents), list(left)
    findings = Findings(len(named) + len(left))
    of_hash: dict[str, list[str]] = defaultdict(list)
    for document, name in named:
        of_hash[document.sha256 or ""].append(name)
    claimed = {name for _, name in named}
    unclaimed = set(found) - claimed
    elsewhere: dict[str, list[str]] = defaultdict(list)
    for name in sorted(unclaimed):
        elsewhere[found[name].sha256 or ""].append(name)
    for document, name in named:
        file = found.get(name)
        if file is None:
            if not (there := elsewhere[document.sha256 or ""]):
                findings.missing.append(document.title)
            else:
                unclaimed.discard(moved := there.pop(0))
                findings.changed.append(f"{document.title}: its bytes are under another name, {shown(moved)}")
        elif file.sha256 == document.sha256 and file.size == document.size:
            findings.good += 1
        else:
            findings.changed.append(f"{document.title}: {_difference(document, file, of_hash)}")
    findings.missing += [f"{document.title}: no file is named for it" for document in left]
    findings.extra += [shown(name) for name in sorted(unclaimed)]
    return findings


def _difference(document: ListedDocument, file: FoundFile, of_hash: Mapping[str, list[str]]) -> str:
    if file.sha256 is None:
        return file.reason
    if file.sha256 in of_hash:
        return f"it has the bytes of {shown(of_hash[file.sha256][0])}"
    if file.size != document.size:
        return f"it has {file.size:,} bytes instead of {document.size:,}"
    return f"its SHA-256 is {file.sha256} instead of {document.sha256}"


def compare_unnamed(documents: Iterable[ListedDocument], found: Mapping[str, FoundFile]) -> Findings:
    """Files against documents by their bytes alone; documents with the same bytes want a file each."""
    documents = list(documents)
    findings = Findings(len(documents))
    files: dict[str, list[str]] = defaultdict(list)
    for name in sorted(found):
        files[found[name].sha256 or ""].append(name)
    there = Counter({sha256: len(names) for sha256, names in files.items() if sha256})
    for document in documents:
        if there[document.sha256 or ""] > 0:
            there[document.sha256 or ""] -= 1
            files[document.sha256 or ""].pop(0)
            findings.good += 1
        else:
            findings.missing.append(f"{document.title}: no file has its bytes")
    for sha256, names in files.items():
        for name in names:
            why = f": {found[name].reason}" if not sha256 else ": no document of the manifest has these bytes"
            findings.extra.append(shown(name) + why)
    return findings
