"""The public keys that verify ``v1a`` signatures and manifests, for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.problems import MethodNotAllowed
from services.api.http.provided import provided
from services.api.http.schemas import View
from shared.webhooks.public_keys import key_set

router = APIRouter(tags=["webhooks"])

_CACHED: Final = "public, max-age=300"


@dataclass(frozen=True)
class SigningKeys:
    """The keys (``whsk_``) that sign webhooks and manifests, and the public ones (``whpk_``) that once did."""

    private: tuple[str, ...]
    retired: tuple[str, ...] = ()


class PublicKey(View):
    """One key (RFC 7517; OKP of RFC 8037)."""

    kty: str = Field(examples=["OKP"])
    crv: str = Field(examples=["Ed25519"])
    x: str = Field(
        description="The 32 bytes of the key, base64url", examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"]
    )
    kid: str = Field(description="Its thumbprint (RFC 7638)")
    use: str = Field(examples=["sig"])
    alg: str = Field(examples=["EdDSA"])


class PublicKeys(View):
    """A JSON Web Key Set."""

    keys: list[PublicKey]


@router.get(
    "/.well-known/webhook-keys.json",
    response_model=None,
    responses={
        200: {"model": PublicKeys, "description": "The keys; none where none is set"},
        **described(MethodNotAllowed, guarded=False),
    },
    summary="The public keys of webhooks",
)
async def get_webhook_keys(keys: Annotated[SigningKeys, Depends(provided(SigningKeys))]) -> Response:
    """A `v1a` signature is by one of these. During a rotation there are several, and each signs.

    Manifests are signed by the first. Keys that sign no more stand at the end, so that older manifests are verified.
    """
    content: dict[str, Any] = key_set(keys.private, keys.retired)
    return Json(content, headers={"Cache-Control": _CACHED})
