"""Verify a case's manifest with the standard library and one package of cryptography, and the files beside it.

    python verify_manifest.py manifest.json webhook-keys.json [FOLDER]

webhook-keys.json is ``GET /.well-known/webhook-keys.json`` as you got it from the sender, once, over HTTPS. In FOLDER
are the files of documents.zip. Raises when the signature is not by one of those keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def decode(text: str) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(manifest: Path, jwks: Path) -> dict[str, Any]:
    """The manifest, when its signature is by a key of the JWKS; else InvalidSignature, KeyError or ValueError."""
    content: dict[str, Any] = json.loads(manifest.read_bytes())
    header, payload, signature = content.pop("signature").split(".")
    if payload:
        raise ValueError("the payload of a detached JWS is empty")
    # RFC 8785: sorted names, no spaces, UTF-8. There is no number in it but integers.
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    keys = {key["kid"]: key for key in json.loads(jwks.read_bytes())["keys"]}
    key = Ed25519PublicKey.from_public_bytes(decode(keys[json.loads(decode(header))["kid"]]["x"]))
    key.verify(decode(signature), f"{header}.{base64.urlsafe_b64encode(canonical).decode().rstrip('=')}".encode())
    return content


if __name__ == "__main__":
    content = verified(Path(sys.argv[1]), Path(sys.argv[2]))
    print(content["process_number"], content["made_at"], content["documents_total"], "documents, signature valid")  # noqa: T201
    for document in content["documents"]:
        if len(sys.argv) > 3 and document.get("file"):
            with (Path(sys.argv[3]) / document["file"]).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != document["sha256"]:
                    sys.exit(f"changed: {document['file']}")
