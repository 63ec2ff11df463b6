"""The object store: keys, the bucket, presigned links (boto3) and the data path (obstore).

One document has one key, so that a repeat overwrites itself (docs/architecture.md, "Object store").
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NewType

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from obstore.store import S3Store

from shared.domain.cnj import ProcessNumber, parse
from shared.settings import StorageSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig

ObjectKey = NewType("ObjectKey", str)

SEALED_LINK_SECONDS: Final = 300
"""How long a link to a sealed document works."""
LINK_SECONDS: Final = 3600
"""How long a presigned link works."""

_KEYS: Final = "processes/"

_PARTS_RULE: Final = {
    "ID": "autos-parts-of-broken-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": _KEYS},
    # The least that S3 knows; an upload lasts minutes.
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}

_log = logging.getLogger(__name__)


def object_key(process_number: str, document_id: str) -> ObjectKey:
    """``processes/{20 digits}/documents/{document_id}``: nothing personal in it."""
    number = process_number if isinstance(process_number, ProcessNumber) else parse(process_number)
    return ObjectKey(f"{_KEYS}{number.digits}/documents/{document_id}")


def make_client(settings: StorageSettings, *, public: bool = False) -> BaseClient:
    """A boto3 client; with ``public`` it signs links for the host that clients reach the store by."""
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
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
        ),
    )


def ensure_bucket(settings: StorageSettings) -> None:
    """Make the bucket unless it is there."""
    client: Any = make_client(settings)
    try:
        client.head_bucket(Bucket=settings.s3_bucket)
        return
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    options: dict[str, Any] = {}
    if settings.s3_endpoint_url is None and settings.s3_region != "us-east-1":
        options["CreateBucketConfiguration"] = {"LocationConstraint": settings.s3_region}
    try:
        client.create_bucket(Bucket=settings.s3_bucket, **options)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise


def ensure_parts_expire(settings: StorageSettings) -> bool:
    """Have the store remove the parts of uploads that never ended; False when it refuses such a rule.

    A downloader that is killed in a multipart upload leaves parts behind which no listing shows and which are paid for.
    Rules of others stay. The bucket has to be there.
    """
    client: Any = make_client(settings)
    bucket = settings.s3_bucket
    try:
        found = _lifecycle(client, bucket)
        if _PARTS_RULE in found["Rules"]:
            return True
        others = [rule for rule in found["Rules"] if rule.get("ID") != _PARTS_RULE["ID"]]
        client.put_bucket_lifecycle_configuration(
            Bucket=bucket, **found["options"], LifecycleConfiguration={"Rules": [*others, _PARTS_RULE]}
        )
    except ClientError as error:
        # Nothing depends on it but the bill: a store without such rules, or keys that may not set them, will do.
        _log.warning(
            "the store takes no rule against the parts of broken uploads",
            extra={"bucket": bucket, "code": error.response["Error"]["Code"]},
        )
        return False
    return True


def _lifecycle(client: Any, bucket: str) -> dict[str, Any]:
    """The rules of a bucket, and the options that have to be sent with them to stay as they are."""
    try:
        found = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        return {"Rules": [], "options": {}}
    kept = "TransitionDefaultMinimumObjectSize"
    return {"Rules": found.get("Rules", []), "options": {kept: found[kept]} if found.get(kept) else {}}


def make_store(settings: StorageSettings) -> S3Store:
    """The data path: an obstore S3 store on the bucket."""
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
    return S3Store(settings.s3_bucket, client_options=client_options, **options)


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
        """A link to ``key`` that works for ``seconds``; the answer's headers are part of the signature."""
        parameters = {"Bucket": self._bucket, "Key": key}
        if content_disposition:
            parameters["ResponseContentDisposition"] = content_disposition
        if content_type:
            parameters["ResponseContentType"] = content_type
        link: str = self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
        return link
