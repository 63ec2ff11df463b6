"""The bucket: makes it, and has the store remove the parts of uploads that never ended."""

from __future__ import annotations

import logging
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.settings import StorageSettings
from shared.storage.store import KEY_PREFIX, make_client

_PARTS_RULE: Final = {
    "ID": "autos-parts-of-broken-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": KEY_PREFIX},
    # The least that S3 knows; an upload lasts minutes.
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}

_log = logging.getLogger(__name__)


def ensure_bucket(settings: StorageSettings) -> None:
    """Make the bucket unless it is there; several processes may do so at once. Raises ClientError when the store
    refuses.
    """
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
            "The object store takes no rule that removes the parts of broken uploads",
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
