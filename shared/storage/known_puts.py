"""Puts objects whose SHA-256 is known already: one request each, signed over that hash (AWS Signature Version 4).

obstore hashes the bytes once more for its signature, and sends them from threads of its own (docs/adr/0055). It stays
for what is large, for credentials that it finds by itself, and for whatever goes wrong here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from shared.clock import Clock
from shared.settings import StorageSettings
from shared.storage.signature import RequestSigner, written
from shared.storage.store import host_of, plain_base

_CONNECT_SECONDS: Final = 5.0
_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 50.0  # below the 60 s after which common servers close an idle connection


class PutFailed(Exception):
    """Raised when the object may not be there. ``status`` is that of the answer, None where none came."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status


class KnownPuts:
    """Puts below ``base``, which comes before an object's key in its URL. Make it inside of the event loop."""

    def __init__(self, base: str, signer: RequestSigner, clock: Clock, authorities: bytes | None = None) -> None:
        self._base = base
        self._host = host_of(base)
        self._path = urlsplit(base).path
        self._signer = signer
        self._clock = clock
        builder = (
            ClientBuilder()
            .http1_only()
            .no_proxy()
            .follow_redirects(False)
            .connect_timeout(timedelta(seconds=_CONNECT_SECONDS))
            .timeout(timedelta(seconds=_SECONDS))
            .pool_idle_timeout(timedelta(seconds=_IDLE_SECONDS))
        )
        self._client = (builder if authorities is None else builder.add_root_certificate_pem(authorities)).build()

    async def put(self, key: str, content: bytes, sha256: str, headers: Mapping[str, str]) -> str | None:
        """Store ``content`` with these headers (names in lower case, values in ASCII without space around them).

        ``sha256`` is in hexadecimal. Gives the version of the object, where the store keeps versions. Raises PutFailed.
        """
        path = quote(key, safe="/-_.~")
        request = self._client.put(self._base + path).headers(self.signed(path, sha256, headers)).body_bytes(content)
        try:
            answer = await request.build().send()
        except (PyreqwestError, OSError) as error:
            raise PutFailed(None) from error
        if answer.status != 200:
            raise PutFailed(answer.status)
        return answer.headers.get("x-amz-version-id")

    def signed(self, path: str, sha256: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request for this quoted key: those given and what the signature adds."""
        moment = written(self._clock())
        day = moment[:8]
        sent = {**headers, "x-amz-content-sha256": sha256, "x-amz-date": moment}
        lines = sorted({**sent, "host": self._host}.items())
        names = ";".join([name for name, _ in lines])
        listed = "".join([f"{name}:{value}\n" for name, value in lines])
        request = f"PUT\n{self._path}{path}\n\n{listed}\n{names}\n{sha256}"
        scope = self._signer.scope(day)
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        credential = f"{self._signer.access_key_id}/{scope}"
        signature = self._signer.sign(day, text)
        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return sent


def make_known_puts(settings: StorageSettings, clock: Clock) -> KnownPuts | None:
    """For an endpoint of one's own that is written in the plainest way, with keys of its own; None for any other."""
    base = plain_base(settings.s3_endpoint_url, settings.s3_bucket)
    if base is None or settings.aws_access_key_id is None or settings.aws_secret_access_key is None:
        return None
    secret = settings.aws_secret_access_key.get_secret_value()
    signer = RequestSigner(settings.aws_access_key_id, secret, settings.s3_region)
    return KnownPuts(base, signer, clock, settings.s3_ca_file.read_bytes() if settings.s3_ca_file else None)
