"""Presigned links to objects: how long they live, and how they are signed.

QuickLinks makes the same links as botocore in a tenth of the time.

A webhook's body has a link for each document, made anew at each attempt, so making links is most of what making a
body costs. AWS Signature Version 4 with query parameters ("Authenticating Requests: Using Query Parameters", Amazon
S3 API reference): an HMAC over a canonical request of which only the object and the file name change.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from shared.clock import Clock
from shared.settings import StorageSettings
from shared.storage.signature import RequestSigner, written
from shared.storage.store import host_of, make_client, plain_base

SHORT_LINK_SECONDS: Final = 300
"""How long a link to a sealed document works, and one that shows a document in the page."""
LINK_SECONDS: Final = 3600
"""How long a presigned link works."""

_PROBE: Final = "probe"


class QuickLinks:
    """Makes links with keys that do not change. ``base`` is what comes before an object's key in its URL."""

    def __init__(self, base: str, access_key_id: str, secret_access_key: str, region: str, clock: Clock) -> None:
        self._base = base
        self._host = host_of(base)
        self._path = urlsplit(base).path
        self._signer = RequestSigner(access_key_id, secret_access_key, region)
        self._clock = clock
        self._second = _Second(-1, "", "", "")

    def make(
        self,
        key: str,
        *,
        content_disposition: str | None = None,
        content_type: str | None = None,
        seconds: int = LINK_SECONDS,
    ) -> str:
        """A link to ``key`` that works for ``seconds``; the answer's headers are part of the signature.

        No request is made, so a link to an object that is not there is made all the same. From any thread.
        """
        # Threads share this object; what they share of it is replaced as a whole.
        second = self._at(self._clock())
        query = f"{second.query}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
        if content_disposition:
            query += f"&response-content-disposition={_quote(content_disposition)}"
        if content_type:
            query += f"&response-content-type={_quote(content_type)}"
        path = quote(key, safe="/-_.~")
        request = f"GET\n{self._path}{path}\n{query}\nhost:{self._host}\n\nhost\nUNSIGNED-PAYLOAD"
        text = second.signed + hashlib.sha256(request.encode()).hexdigest()
        return f"{self._base}{path}?{query}&X-Amz-Signature={self._signer.sign(second.day, text)}"

    def _at(self, now: datetime) -> _Second:
        epoch = int(now.timestamp())
        if self._second.epoch == epoch:
            return self._second
        moment = written(now)
        day = moment[:8]
        scope = self._signer.scope(day)
        # In the order of the parameters' names, as the canonical request wants them; those of the answer come after.
        query = (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={_quote(f'{self._signer.access_key_id}/{scope}')}"
            f"&X-Amz-Date={moment}"
        )
        signed = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n"
        second = self._second = _Second(epoch, query, signed, day)
        return second


class _Second(NamedTuple):
    """What the links of one second have in common."""

    epoch: int
    query: str
    signed: str
    day: str


# Names of documents and types of content come again and again.
@lru_cache(maxsize=4096)
def _quote(text: str) -> str:
    return quote(text, safe="-_.~")


class PresignedLinks:
    """Makes links that let whoever has them read one object for some time."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def make(
        self,
        key: str,
        *,
        content_disposition: str | None = None,
        content_type: str | None = None,
        seconds: int = LINK_SECONDS,
    ) -> str:
        """A link to ``key`` that works for ``seconds``, or for as long as the credentials last if that is less."""
        parameters = {"Bucket": self._bucket, "Key": key}
        if content_disposition:
            parameters["ResponseContentDisposition"] = content_disposition
        if content_type:
            parameters["ResponseContentType"] = content_type
        link: str = self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
        return link


def make_links(settings: StorageSettings, clock: Clock) -> QuickLinks | PresignedLinks:
    """What makes the links of a deployment: QuickLinks with keys of its own, botocore's with any other credentials.

    (Credentials that botocore finds and renews by itself are botocore's to sign with.)
    """
    if settings.aws_access_key_id is None or settings.aws_secret_access_key is None:
        return PresignedLinks(make_client(settings, public=True), settings.s3_bucket)
    secret = settings.aws_secret_access_key.get_secret_value()
    # botocore would find the same, in 150 ms and 10 MB.
    endpoint = settings.s3_public_endpoint_url or settings.s3_endpoint_url
    base = plain_base(endpoint, settings.s3_bucket) or _base_of_botocore(settings)
    return QuickLinks(base, settings.aws_access_key_id, secret, settings.s3_region, clock)


def _base_of_botocore(settings: StorageSettings) -> str:
    # Where a bucket is found (path or host, region, endpoint) is botocore's to know.
    probe = PresignedLinks(make_client(settings, public=True), settings.s3_bucket).make(_PROBE)
    return probe.partition("?")[0].removesuffix(_PROBE)
