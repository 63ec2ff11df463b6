"""Run inside a service's container, by stdin: tries what may be tried at the object store, with the service's settings.

The answer is JSON: by what was tried, the code of the refusal, or null where it was done.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from shared.settings import StorageSettings
from shared.storage.store import make_client

BUCKET = os.environ.get("AUTOS_S3_BUCKET", "autos")
KEY = "processes/probe/documents/probe"
client: Any = make_client(StorageSettings())
attempts: Mapping[str, Callable[[], object]] = {
    "put": lambda: client.put_object(Bucket=BUCKET, Key=KEY, Body=b"x"),
    "list": lambda: client.list_objects_v2(Bucket=BUCKET, MaxKeys=1),
    "delete": lambda: client.delete_object(Bucket=BUCKET, Key=KEY),
    "make a bucket": lambda: client.create_bucket(Bucket="another"),
}


def outcome(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


json.dump({what: outcome(attempt) for what, attempt in attempts.items()}, sys.stdout)
