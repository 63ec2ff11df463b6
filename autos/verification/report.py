"""What ``autos verify`` says of a check: in words, and as a line of JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from autos.verification.check import Checked

_SHOWN: Final = 50
"""Findings of a kind that are printed; the line of JSON has all."""


def report_words(checked: Checked) -> Iterator[str]:
    """A line each: the case, the signature, what is not as signed, and how many documents are."""
    manifest, findings = checked.manifest, checked.findings
    yield f"{checked.path}: {manifest.headline}"
    yield f"  signature: {checked.signature.words}"
    if findings is not None:
        for kind, found in findings.kinds().items():
            yield from (f"  {kind}: {one}" for one in found[:_SHOWN])
            if len(found) > _SHOWN:
                yield f"  {kind}: {len(found) - _SHOWN} more (--json has all)"
    never = [f"{document.title}: {document.reason}" for document in manifest.not_fetched]
    yield from (f"  never fetched, as the manifest says: {one}" for one in never[:_SHOWN])
    if len(never) > _SHOWN:
        yield f"  never fetched: {len(never) - _SHOWN} more (--json has all)"
    if findings is None:
        yield f"  the manifest alone was checked, and none of the {len(manifest.available)} documents that it lists"
    elif checked.signature.holds:
        yield f"  {findings.good} of {findings.wanted} documents are as signed"
    else:
        yield f"  {findings.good} of {findings.wanted} documents are as the manifest says, which is no proof as it is"


def report_json(checked: Checked) -> str:
    """All of it in one line."""
    findings = checked.findings
    told = {
        "path": str(checked.path),
        "good": checked.good,
        "process_number": checked.manifest.content.get("process_number"),
        "made_at": checked.manifest.content.get("made_at"),
        "signature": checked.signature.verdict.value,
        "key_id": checked.signature.key_id,
        "documents": findings.wanted if findings is not None else None,
        "as_signed": findings.good if findings is not None else None,
        **(findings.kinds() if findings is not None else dict.fromkeys(("missing", "changed", "extra"))),
        "not_fetched": [f"{document.title}: {document.reason}" for document in checked.manifest.not_fetched],
    }
    return json.dumps(told, ensure_ascii=False)
