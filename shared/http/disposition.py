"""File names for people, in and out of Content-Disposition (RFC 6266, RFC 5987 / 8187). Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from shared.domain.media import ALSO, extension_of

_MAX_NAME: Final = 200
_MAX_BYTES: Final = 240  # file systems take 255 bytes; some are left for "(1)"
_ATTR_CHARS: Final = "!#$&+-.^_`|~"  # RFC 5987 attr-char besides letters and digits
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u2028\u2029]')
# Marks that turn the direction of text: "fdp.exe" can be shown as "exe.pdf".
_BIDI: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)")
_PARAMETER: Final = re.compile(r';\s*([A-Za-z0-9!#$&+.^_`|~-]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]*))', re.DOTALL)


def file_name(name: str, content_type: str | None = None, *, fallback: str = "documento") -> str:
    """A name that every file system takes, with the extension of the content type unless it has it already."""
    extension = extension_of(content_type)
    kept = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    kept = _UNSAFE.sub("_", _BIDI.sub("", kept))
    kept = re.sub(r"\s+", " ", kept).strip(" .") or fallback
    if _RESERVED.match(kept):
        kept = f"_{kept}"
    endings = (extension, *ALSO.get(extension, ()))
    if extension and kept.lower().endswith(endings):
        kept, dot, ending = kept.rpartition(".")
        extension = dot + ending
    kept = kept[: _MAX_NAME - len(extension)]
    while len((kept + extension).encode()) > _MAX_BYTES:
        kept = kept[:-1]
    return (kept.strip(" .") or fallback) + extension


def content_disposition(name: str, content_type: str | None = None, *, inline: bool = False) -> str:
    """The header's value: ``filename`` in ASCII for old clients, ``filename*`` with the whole name."""
    shown = file_name(name, content_type)
    ascii_name = unicodedata.normalize("NFKD", shown).encode("ascii", "ignore").decode()
    ascii_name = re.sub(r"[^A-Za-z0-9 ._()\[\],+=@#$&!~-]", "_", ascii_name)  # no %, see RFC 6266 appendix D
    stem, extension = re.fullmatch(r"(.*?)(\.[A-Za-z0-9]{1,5})?", ascii_name, re.DOTALL).groups("")  # type: ignore[union-attr]
    if not re.search("[A-Za-z0-9]", stem):  # a name in another script
        ascii_name = f"documento{extension}"
    kind = "inline" if inline else "attachment"
    value = f'{kind}; filename="{ascii_name}"'
    if ascii_name != shown:
        value += f"; filename*=UTF-8''{quote(shown, safe=_ATTR_CHARS)}"
    return value


def parse_content_disposition(value: str | None) -> str | None:
    """The file name in a header, made safe; ``filename*`` wins (RFC 6266, section 4.3). None when there is none."""
    if value is None or len(value) > 8192:
        return None
    plain: str | None = None
    extended: str | None = None
    for match in _PARAMETER.finditer(value):
        key = match[1].lower()
        content = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        if key == "filename*" and extended is None:
            extended = _decode_extended(content)
        elif key == "filename" and plain is None:
            plain = _repair(content)
    name = extended or plain
    if name is None:
        return None
    # Some servers send a path; only its last part is a name.
    last = re.split(r"[/\\]", name)[-1].strip(" .")
    return file_name(last) if last else None


def _decode_extended(content: str) -> str | None:
    charset, separator, rest = content.partition("'")
    _language, separator, encoded = rest.partition("'")
    if not separator or charset.lower() not in ("utf-8", "iso-8859-1"):
        return None
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeDecodeError:
        return None


def _repair(content: str) -> str:
    """UTF-8 that was read as Latin-1, as header bytes are, gets its accents back."""
    try:
        return content.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return content
