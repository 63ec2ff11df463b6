"""A manifest as it is read: nothing in it is believed before its signature is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

FORMAT: Final = "autos-manifest/1"
LARGEST_BYTES: Final = 256 * 1024 * 1024
"""Of a manifest: some 300,000 documents."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHOWN: Final = 200
"""Characters of a text of a manifest that are shown."""


class Unreadable(ValueError):
    """Raised for what cannot be checked at all; the text says why, for people."""


@dataclass(frozen=True)
class ListedDocument:
    """A document of a manifest. ``size`` is bytes; both it and ``sha256`` are None when it was not fetched.

    ``file`` is its name in an archive.
    """

    id: str
    name: str
    sha256: str | None
    size: int | None
    file: str | None
    reason: str
    """Why it was not fetched; empty when it was."""

    @property
    def title(self) -> str:
        """The file's name, or the document's, with its id."""
        return f"{shown(self.file or self.name)} ({shown(self.id)})"


@dataclass(frozen=True)
class Manifest:
    """``content`` is the whole object."""

    content: dict[str, Any]
    documents: tuple[ListedDocument, ...]
    not_included: tuple[ListedDocument, ...]

    @property
    def available(self) -> list[ListedDocument]:
        """Those that were fetched."""
        return [document for document in self.documents if document.sha256 is not None]

    @property
    def not_fetched(self) -> list[ListedDocument]:
        """The others, those too that an archive leaves out."""
        return [document for document in (*self.documents, *self.not_included) if document.sha256 is None]

    @property
    def headline(self) -> str:
        """The case, when the manifest was made and by what."""
        told = {name: shown(str(self.content.get(name))) for name in ("process_number", "made_at", "made_by")}
        return f"case {told['process_number']}, manifest of {told['made_at']} by {told['made_by']}"


def canonical(content: Any) -> bytes:
    """The canonical form (RFC 8785) of what a manifest may hold. Raises Unreadable."""
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (ValueError, RecursionError):
        raise Unreadable("the manifest holds what has no canonical form") from None


def is_manifest(raw: bytes) -> bool:
    """Whether these bytes are a manifest, right or wrong, and not some other JSON."""
    try:
        content = _parse(raw)
    except Unreadable:
        return False
    return "format" in content and "documents" in content


def signed_in(raw: bytes) -> bytes | None:
    """The manifest that these bytes are, or hold as ``signed`` (the list of ``autos fetch``); None where neither."""
    if is_manifest(raw):
        return raw
    try:
        signed = _parse(raw).get("signed")
    except Unreadable:
        return None
    return json.dumps(signed).encode() if isinstance(signed, dict) else None


def read_manifest(raw: bytes) -> Manifest:
    """The manifest in these bytes. Raises Unreadable for everything that is none."""
    content = _parse(raw)
    if content.get("format") != FORMAT:
        raise Unreadable(
            f"it is no manifest of the form {FORMAT}"
            if "format" not in content
            else f"it is a manifest of the form {shown(str(content['format']))}, and this command knows {FORMAT}"
        )
    return Manifest(content, _listed(content, "documents"), _listed(content, "not_included", optional=True))


def _parse(raw: bytes) -> dict[str, Any]:
    if len(raw) > LARGEST_BYTES:
        raise Unreadable(f"a manifest has at most {LARGEST_BYTES:,} bytes")
    try:
        content = json.loads(raw, object_pairs_hook=_no_twins, parse_float=_no_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the manifest is not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise Unreadable("the manifest is not a JSON object")
    return content


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may disagree on which of two members of one name counts."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return made


def _no_number(text: str) -> Any:
    raise ValueError("it has a number that is no integer")


def _listed(content: dict[str, Any], name: str, *, optional: bool = False) -> tuple[ListedDocument, ...]:
    found = content.get(name, [] if optional else None)
    if not isinstance(found, list):
        raise Unreadable(f"the manifest has no list of {name}")
    return tuple(_document(one, name, place) for place, one in enumerate(found))


def _document(one: Any, where: str, place: int) -> ListedDocument:
    if not isinstance(one, dict) or not isinstance(one.get("id"), str):
        raise Unreadable(f"{where}[{place}] of the manifest is no document")
    sha256, size, file = one.get("sha256"), one.get("size"), one.get("file")
    hashed = isinstance(sha256, str) and _SHA256.fullmatch(sha256) and type(size) is int and size >= 0
    if not hashed and not (sha256 is None and size is None):
        raise Unreadable(f"{where}[{place}] of the manifest has no proper sha256 and size")
    if file is not None and not isinstance(file, str):
        raise Unreadable(f"{where}[{place}] of the manifest has no proper file")
    code, message = one.get("error_code"), one.get("error_message")
    reason = "" if sha256 is not None else f"{code}: {message}" if code else f"status {one.get('status')}"
    return ListedDocument(one["id"], str(one.get("name")), sha256, size, file, shown(reason))


def shown(text: str) -> str:
    """A text of somebody else's for a terminal: on one line, without control characters, and not too long."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(char if char.isprintable() else "\ufffd" for char in cut)
