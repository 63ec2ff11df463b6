"""The manifest: what it says of each document, that its bytes are canonical, and that the signature is of them."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from services.api.documents.archive_content import archive_content
from services.api.documents.filter import ArchiveFilter
from services.api.documents.manifest import ManifestHead, assemble, canonical, document_entry
from shared.domain.secrecy import LeftOut, Sight
from shared.webhooks.manifest_signatures import ManifestSigner
from tests.signed import HEAD, JWKS, KEY_ID, NOW, NUMBER, SIGNER, document_row, signed_manifest

OPEN = Sight(False)


def standard(content: Any) -> bytes:
    """The canonical form as Python's own library writes it."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def verified(manifest: dict[str, Any]) -> dict[str, Any]:
    """Its signature's header, when it holds by the published key. Written from the standards, with no code of ours."""
    header, payload, signature = manifest.pop("signature").split(".")
    assert payload == ""
    [jwk] = JWKS["keys"]
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))
    signed = header + "." + base64.urlsafe_b64encode(standard(manifest)).decode().rstrip("=")
    key.verify(base64.urlsafe_b64decode(signature + "=="), signed.encode())
    told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    return told


def test_the_file_is_the_signed_bytes_and_the_signature_behind_them() -> None:
    raw = signed_manifest([b"one", None, b"three"])
    manifest = json.loads(raw)
    signature = manifest["signature"]
    header = verified(manifest)
    assert raw == standard(manifest)[:-1] + b',"signature":' + json.dumps(signature).encode() + b"}"
    assert (header["alg"], header["typ"], header["kid"]) == ("EdDSA", "autos-manifest+json", KEY_ID)
    assert header["jwk"]["x"] == JWKS["keys"][0]["x"]
    assert (manifest["process_number"], manifest["key_id"], manifest["documents_total"]) == (NUMBER, KEY_ID, 3)
    assert manifest["made_at"] == "2026-03-02T14:30:15.123456Z" and manifest["made_by"].startswith("autos ")


def test_a_document_is_told_with_its_bytes_and_what_the_source_said_of_them() -> None:
    told = document_entry(
        document_row(3, b"one", object_version="v7"), Sight(False, hides=True, left_out=LeftOut((1,)))
    )
    assert told["position"] == 2
    assert told["sha256"] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert (told["size"], told["content_type"], told["object_version"]) == (3, "application/pdf", "v7")
    assert told["source_headers"] == {"date": "Mon, 02 Mar 2026 14:30:15 GMT", "etag": '"a: b"'}
    assert told["fetched_at"] == "2026-03-02T14:30:15.123456Z"


def test_what_was_stored_before_headers_were_kept_has_the_time_of_its_end() -> None:
    old = document_row(1, b"one", fetched_at=None, source_headers=None, download_completed_at=NOW + timedelta(1))
    told = document_entry(old, OPEN)
    assert (told["fetched_at"], told["source_headers"]) == ("2026-03-03T14:30:15.123456Z", {})


@pytest.mark.parametrize(
    ("columns", "status", "reason"),
    [
        ({}, "failed", "no_access"),
        ({"status": None, "error_code": None}, "pending", None),
        ({"status": "processing", "error_code": None}, "processing", None),
        # Available for the projection, and nobody knows where.
        ({"status": "available", "error_code": None, "sha256": "ab" * 32, "stored_size": 1}, "available", None),
    ],
)
def test_what_is_not_there_has_no_hash_and_says_why(columns: dict[str, Any], status: str, reason: str | None) -> None:
    told = document_entry(document_row(1, None, **columns), OPEN)
    assert (told["status"], told["error_code"]) == (status, reason)
    assert [told[name] for name in ("sha256", "size", "content_type", "fetched_at")] == [None] * 4


def test_without_a_key_nothing_is_signed() -> None:
    manifest = json.loads(signed_manifest([b"one"], ManifestSigner([])))
    assert (manifest["key_id"], manifest["signature"]) == (None, None)


def test_a_filter_is_part_of_what_is_signed() -> None:
    wanted = ArchiveFilter.of(["Petição"], NOW)
    manifest = json.loads(assemble(ManifestHead(NUMBER, NOW, None, None, {"documents": 3}, wanted), [], SIGNER))
    assert manifest["filter"] == {"types": ["petição"], "since": "2026-03-02T14:30:15.123456Z"}
    assert manifest["left_out"] == {"documents": 3}
    assert json.loads(signed_manifest([]))["filter"] is None


def test_an_archives_manifest_lists_its_entries_and_tells_of_the_rest() -> None:
    rows = [document_row(1, b"one"), document_row(2, None), document_row(3, b"three", filed_at=None)]
    since = ManifestHead(NUMBER, NOW, None, NOW, {}, ArchiveFilter.of([], NOW))
    for head, files in ((HEAD, ["001 Petição.pdf", "003 Petição.pdf"]), (since, ["001 Petição.pdf"])):
        content = archive_content(head, rows, OPEN)
        manifest = json.loads(content.manifest(SIGNER))
        verified(manifest)
        assert [document["file"] for document in manifest["documents"]] == files
        assert [document["id"][-1] for document in manifest["not_included"]] == ["2"]
        assert [entry.document_id for entry in content.entries] == [one["id"] for one in manifest["documents"]]


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_content = st.dictionaries(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
    st.recursive(_text | st.none() | st.booleans() | st.integers(-(2**53), 2**53), st.lists, max_leaves=8),
    max_size=6,
)


@given(_content)
def test_the_canonical_form_is_that_of_other_libraries(content: dict[str, Any]) -> None:
    assert canonical(content) == standard(content)


@given(st.lists(_text, max_size=4))
def test_any_name_is_signed_as_it_stands(names: list[str]) -> None:
    rows = [document_row(place, b"x", name) for place, name in enumerate(names, 1)]
    manifest = json.loads(assemble(HEAD, [canonical(document_entry(row, OPEN)) for row in rows], SIGNER))
    verified(manifest)
    assert [document["name"] for document in manifest["documents"]] == names
