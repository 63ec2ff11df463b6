"""The object store: the keys of documents, the client for administration (boto3) and the data path (obstore).

The first bytes of a document have one key, so that a repeat overwrites itself; later content of it is stored beside
them, and what is recorded says which object counts (docs/architecture.md, "Object store").
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NewType
from urllib.parse import urlsplit

from obstore.store import S3Store

from shared.domain.cnj import parse
from shared.settings import StorageSettings

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from obstore.store import ClientConfig

ObjectKey = NewType("ObjectKey", str)

KEY_PREFIX: Final = "processes/"

_OWN_PORTS: Final = {"http": ":80", "https": ":443"}
_PLAIN_ENDPOINT: Final = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", re.ASCII)
_PLAIN_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def object_key(process_number: str, document_id: str) -> ObjectKey:
    """``processes/{20 digits}/documents/{document_id}``: nothing personal in it. Raises InvalidProcessNumber."""
    return ObjectKey(f"{_folder(process_number)}{document_id}")


# A case's number comes again with each of its documents.
@lru_cache(maxsize=4096)
def _folder(process_number: str) -> str:
    return f"{KEY_PREFIX}{parse(process_number).digits}/documents/"


def plain_base(endpoint: str | None, bucket: str) -> str | None:
    """What comes before a key at an endpoint of one's own: the bucket is the first part of the path (make_client).

    None for whatever is not written in the plainest way, and for AWS.
    """
    plain = _PLAIN_ENDPOINT.fullmatch(endpoint or "") and _PLAIN_BUCKET.fullmatch(bucket)
    return f"{endpoint}/{bucket}/" if plain else None


def host_of(address: str) -> str:
    """The host as clients write it in their Host header (RFC 9110, section 4.2.3): a scheme's own port is left out."""
    split = urlsplit(address)
    return split.netloc.lower().removesuffix(_OWN_PORTS.get(split.scheme, ""))


def make_client(settings: StorageSettings, *, public: bool = False) -> BaseClient:
    """A boto3 client, safe to share between threads; with ``public`` it signs links for the host that clients reach the
    store by. A request connects within 5 s, reads within 30 s and is tried three times.
    """
    # Most processes of a deployment with keys of its own never need it, and it takes 100 ms and 10 MB.
    import boto3
    from botocore.config import Config

    endpoint = settings.s3_endpoint_url
    if public and settings.s3_public_endpoint_url:
        endpoint = settings.s3_public_endpoint_url
    secret = settings.aws_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        verify=None if settings.s3_ca_file is None else str(settings.s3_ca_file),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
        ),
    )


def make_store(settings: StorageSettings) -> S3Store:
    """The data path: an obstore S3 store on the bucket. A request connects within 5 s and takes 300 s at most."""
    options: dict[str, Any] = {"region": settings.s3_region}
    if settings.s3_endpoint_url:
        options["endpoint"] = settings.s3_endpoint_url
        options["virtual_hosted_style_request"] = False
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        options["access_key_id"] = settings.aws_access_key_id
        options["secret_access_key"] = settings.aws_secret_access_key.get_secret_value()
    client_options: ClientConfig = {"connect_timeout": "5s", "timeout": "300s"}
    if (settings.s3_endpoint_url or "").startswith("http://"):
        client_options["allow_http"] = True
    if settings.s3_ca_file is not None:
        client_options["root_certificate"] = settings.s3_ca_file.read_bytes()
    return S3Store(settings.s3_bucket, client_options=client_options, **options)
