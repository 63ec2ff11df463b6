"""Files of a case in a folder: named in the order of the case, checked by SHA-256, and never fetched twice."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
import time
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any, Final

import httpx

from autos.context import call

_LONGEST_STEM: Final = 120
_ID_SHOWN: Final = 8
"""Characters of a document's id in the name of its file."""
MANIFEST: Final = "manifest.json"
_LARGEST_PROOF: Final = 100_000_000
"""Bytes: the signed manifest of the 100,000 documents that a case may have has 60 million."""
_POSITION: Final = re.compile(r"^\d{4,}(?= )")
_EXTENSION: Final = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_LINK_LEFT: Final = timedelta(seconds=30)
"""How long a link must still live when a file is begun."""
_TRIES: Final = 4
_TRY_AGAIN: Final = frozenset({403, 404, 429, 500, 502, 503, 504})
"""Answers of the object store after which a new link is asked for: 403 and 404 are those of a link that has ended."""


class NoProof(Exception):
    """There is no signed manifest to be had. The message is one line."""


def safe_name(
    position: int | None, name: str, document_id: str, content_disposition: str | None, content_type: str | None
) -> str:
    """A file name that every file system takes: ``0007 Petição inicial 1a2b3c4d.pdf``; files sort as in the case.

    The extension is the one in the answer's Content-Disposition, as the API chose it. The links of sealed documents
    name no file: there it is the one that this machine knows for the type.
    """
    text = unicodedata.normalize("NFC", name)
    text = "".join(char if char.isalnum() or char in " ._-()" else "_" for char in text)
    text = re.sub(r"[\s_]+", " ", text).strip(" .") or "document"
    named = _EXTENSION.search(_served_name(content_disposition))
    extension = named[0] if named is not None else mimetypes.guess_extension((content_type or "").split(";")[0]) or ""
    if extension and text.lower().endswith(extension.lower()):
        text = text[: -len(extension)].rstrip(" .") or "document"
    return f"{position or 0:04d} {text[:_LONGEST_STEM].strip(' .')} {document_id[:_ID_SHOWN]}{extension}"


def _served_name(content_disposition: str | None) -> str:
    """The file name in a Content-Disposition (RFC 6266); empty when there is none."""
    header = Message()
    header["content-disposition"] = content_disposition or "attachment"
    try:
        return header.get_filename() or ""
    except (LookupError, ValueError):
        return ""


@dataclass
class Folder:
    """The files of one case. A file that is there with the right SHA-256 is kept, so an interrupted command resumes.

    Files that could not be saved are in ``lost``, with the reason; nothing raises for one file alone.
    """

    client: httpx.Client
    number: str
    path: Path
    patience: float
    saved: dict[str, str] = field(default_factory=dict)
    """The names of the files, by the documents' ids."""
    kept: int = 0
    """How many of them were there already."""
    lost: dict[str, str] = field(default_factory=dict)
    _found: dict[str, list[Path]] = field(init=False, default_factory=dict)
    """What was in the folder at first, by the beginning of the document's id, with which :func:`safe_name` ends."""

    def __post_init__(self) -> None:
        for path in self.path.iterdir():
            self._found.setdefault(path.name.rpartition(" ")[2][:_ID_SHOWN], []).append(path)

    def save(self, document: dict[str, Any]) -> None:
        """Save an available document, unless it is here already."""
        if document["id"] in self.saved:
            return
        if (found := self._here(document)) is not None:
            self.kept += 1
            self.saved[document["id"]] = _at_position(found, document["position"]).name
        elif (reason := self._fetch(document)) is not None:
            self.lost[document["id"]] = reason
            return
        self.lost.pop(document["id"], None)

    def write_manifest(self, content: dict[str, Any]) -> None:
        """Write manifest.json, whole or not at all. Raises OSError."""
        part = self.path / f"{MANIFEST}.part"
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(self.path / MANIFEST)

    def signed_manifest(self, filters: dict[str, str]) -> dict[str, Any]:
        """The API's signed manifest, with which ``autos verify`` checks the files. Raises NoProof."""
        raw = bytearray()
        try:
            with self.client.stream("GET", f"/processes/{self.number}/manifest.json", params=filters) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise NoProof(f"the API answers {answer.status_code}")
                for chunk in answer.iter_bytes():
                    raw += chunk
                    if len(raw) > _LARGEST_PROOF:
                        raise NoProof("it is larger than a manifest can be")
            content: dict[str, Any] = json.loads(raw)
        except httpx.TransportError as error:
            raise NoProof(f"the API does not answer: {type(error).__name__}") from None
        except ValueError:
            raise NoProof("the API's answer is no JSON") from None
        return content

    def _here(self, document: dict[str, Any]) -> Path | None:
        """The document's file, by id and SHA-256: it may have got another position or name since."""
        for found in self._found.get(document["id"][:_ID_SHOWN], ()):
            if found.suffix != ".part" and found.stat().st_size == document["size"]:
                with found.open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() == document["sha256"]:
                        return found
        return None

    def _fetch(self, document: dict[str, Any]) -> str | None:
        """Why it could not be saved; None when it is."""
        reason = ""
        link = document["download_url"]
        if datetime.fromisoformat(document["download_url_expires_at"]) - datetime.now(UTC) < _LINK_LEFT:
            link = self._new_link(document)
        for tried in range(_TRIES):
            if tried:
                time.sleep(2.0 ** (tried - 1))
                link = self._new_link(document)
            try:
                # A client of its own: the API's key is not for the store.
                with httpx.stream("GET", link, timeout=60.0) as answer:
                    if answer.status_code != 200:
                        reason = f"the object store answers {answer.status_code}"
                        if answer.status_code in _TRY_AGAIN:
                            continue
                        return reason
                    if self._write(document, answer):
                        return None
                    reason = "the file does not have the SHA-256 that the API names"
            except httpx.HTTPError as error:
                reason = f"the object store does not answer: {type(error).__name__}"
        return reason

    def _new_link(self, document: dict[str, Any]) -> str:
        path = f"/processes/{self.number}/documents/{document['id']}/content"
        return str(call(self.client, "GET", path, patience=self.patience).headers["location"])

    def _write(self, document: dict[str, Any], answer: httpx.Response) -> bool:
        served = answer.headers.get("content-disposition")
        name = safe_name(document["position"], document["name"], document["id"], served, document["content_type"])
        part = self.path / f"{name}.part"
        digest = hashlib.sha256()
        with part.open("wb") as file:
            for chunk in answer.iter_bytes():
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != document["sha256"]:
            part.unlink()
            return False
        part.replace(self.path / name)
        self.saved[document["id"]] = name
        return True


def _at_position(found: Path, position: int | None) -> Path:
    """The file under the number that its document has in the case now; documents before it may have come since."""
    wanted = found.with_name(_POSITION.sub(f"{position or 0:04d}", found.name))
    if wanted == found or wanted.exists():
        return found
    return found.rename(wanted)
