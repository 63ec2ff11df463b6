"""Removes what the object store has of a case, or of one document: every version, and the parts of broken uploads.

For whoever deletes (the downloader): nothing else removes an object. Blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.cnj import parse
from shared.errors import InfrastructureAway
from shared.settings import StorageSettings
from shared.storage.store import KEY_PREFIX, make_client

MOST_AT_ONCE: Final = 1_000
"""Objects in one request: what S3 takes (DeleteObjects)."""
_NO_VERSIONS: Final = frozenset({"MethodNotAllowed", "NotImplemented", "InvalidRequest"})
_GONE: Final = frozenset({"NoSuchKey", "NoSuchUpload", "NoSuchVersion"})
_DENIED: Final = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


_log = logging.getLogger(__name__)


class RemovalRefused(Exception):
    """Raised when the store refuses to remove an object: the user's policy lacks a right (`autos storage policies`)."""


class ObjectRemoval:
    """Removes objects of the bucket by the beginning of their keys.

    Raises InfrastructureAway when the store gives no answer, RemovalRefused when it refuses.
    """

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._made: Any = None

    @property
    def _client(self) -> Any:
        # Made when it is needed: it costs 50 ms, and most processes remove nothing for months.
        if self._made is None:
            self._made = make_client(self._settings)
        return self._made

    def of_case(self, process_number: str) -> Mapping[str, int]:
        """Remove at most a batch of the case: how many objects (each version counts) and uploads; zero: nothing left.

        A folder of the case alone: its key is made of the number's 20 digits and a slash.
        """
        return self.below(f"{KEY_PREFIX}{parse(process_number).digits}/")

    def below(self, prefix: str) -> Mapping[str, int]:
        """Remove at most MOST_AT_ONCE objects whose keys begin so, and the uploads that began there."""
        if not prefix.startswith(KEY_PREFIX) or prefix == KEY_PREFIX:
            raise ValueError("a case or a document, never everything")
        try:
            return {"objects": self._objects(prefix), "uploads": self._uploads(prefix)}
        except ClientError as error:
            if error.response["Error"]["Code"] in _DENIED:
                raise RemovalRefused(error.response["Error"]["Code"]) from error
            raise InfrastructureAway("object store") from error
        except BotoCoreError as error:
            raise InfrastructureAway("object store") from error

    def _objects(self, prefix: str) -> int:
        """Remove a page of objects; how many. One that another remover was faster with counts as well."""
        found = self._versions(prefix)
        if not found:
            return 0
        answer = self._client.delete_objects(Bucket=self._settings.s3_bucket, Delete={"Objects": found, "Quiet": True})
        refused = {one.get("Code", "") for one in answer.get("Errors", ())} - _GONE
        if refused & _DENIED:
            raise RemovalRefused(", ".join(sorted(refused)))
        if refused:
            raise InfrastructureAway("object store")
        return len(found)

    def _versions(self, prefix: str) -> list[dict[str, str]]:
        """Every version of every object, and the marks of those that were deleted; of a store without, the objects."""
        bucket = self._settings.s3_bucket
        try:
            page = self._client.list_object_versions(Bucket=bucket, Prefix=prefix, MaxKeys=MOST_AT_ONCE)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NO_VERSIONS:
                raise
            page = {}
        listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if listed:
            return [_named(one) for one in listed]
        plain = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=MOST_AT_ONCE)
        return [{"Key": one["Key"]} for one in plain.get("Contents", ())]

    def _uploads(self, prefix: str) -> int:
        """End the uploads that began there and never ended, so that their parts go; how many.

        An upload that is under way ends too: whoever makes it meets an error, and finds that its case is deleted.
        """
        bucket = self._settings.s3_bucket
        try:
            found = self._client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, MaxUploads=MOST_AT_ONCE)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                raise
            # A user of SeaweedFS with a policy may not; the bucket's rule (storage/bucket.py) removes them in a day.
            _log.info("The uploads that never ended cannot be listed, the bucket's rule removes them")
            return 0
        uploads = [one for one in found.get("Uploads", ()) if one["Key"].startswith(prefix)]
        for one in uploads:
            try:
                self._client.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
            except ClientError as error:
                if error.response["Error"]["Code"] not in _GONE:
                    raise
        return len(uploads)


def _named(one: Mapping[str, Any]) -> dict[str, str]:
    """A listed version as a request to remove it names it; a bucket that keeps none has ``null`` for its name."""
    version = one.get("VersionId")
    return {"Key": one["Key"], **({"VersionId": version} if version and version != "null" else {})}
