"""The users of a store and their policies: what `autos storage policies --apply` does, on a real store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from autos.local.ports_and_secrets import PortsAndSecrets
from autos.local.s3 import S3
from autos.local.server import start
from ops.storage_access import OBJECT_ACTIONS
from shared.settings import StorageSettings
from shared.storage.bucket import ensure_bucket
from shared.storage.removal import ObjectRemoval
from shared.storage.store import make_client
from tests.support import wait_until


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageSettings]:
    """A store whose users can be changed, which SeaweedFS forbids unless it is told."""
    folder = tmp_path_factory.mktemp("store")
    server = S3(folder, PortsAndSecrets(folder), "autos")
    server.prepare()
    command = server.command()
    process = start(replace(command, argv=(*command.argv, "-s3.iam.readOnly=false")))
    settings = with_key(server.endpoint, server.access_key_id, server.secret_access_key)
    try:
        wait_until(server.is_ready, what="the store")
        wait_until(partial(makes_the_bucket, settings), what="the bucket")
        yield settings
    finally:
        process.terminate()
        process.wait(60)
        server.cleaned()


def makes_the_bucket(settings: StorageSettings) -> bool:
    try:
        ensure_bucket(settings)
    except ClientError:
        return False
    return True


def with_key(endpoint: str, key: str, secret: str) -> StorageSettings:
    return StorageSettings.model_validate(
        {
            "s3_endpoint_url": endpoint,
            "s3_bucket": "autos",
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
        }
    )


def secret_of(store: StorageSettings) -> str:
    assert store.aws_secret_access_key is not None
    return store.aws_secret_access_key.get_secret_value()


def apply(store: StorageSettings) -> dict[str, str]:
    environment = {
        "AUTOS_S3_ENDPOINT_URL": str(store.s3_endpoint_url),
        "AWS_ACCESS_KEY_ID": str(store.aws_access_key_id),
        "AWS_SECRET_ACCESS_KEY": secret_of(store),
    }
    done = subprocess.run(
        [sys.executable, "-m", "autos.main", "storage", "policies", "--apply"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {user: what.strip() for user, _, what in (line.partition(" ") for line in done.stdout.splitlines())}


def as_user(store: StorageSettings, name: str) -> StorageSettings:
    """The store with a new key of the user."""
    iam = boto3.client(
        "iam",
        endpoint_url=store.s3_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=store.aws_access_key_id,
        aws_secret_access_key=secret_of(store),
    )
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return with_key(str(store.s3_endpoint_url), made["AccessKeyId"], made["SecretAccessKey"])


def refusal(attempt: Any, **options: Any) -> str | None:
    try:
        attempt(**options)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def test_each_user_gets_its_policy_and_may_do_that_alone(store: StorageSettings) -> None:
    users = [f"autos-{identity}" for identity in OBJECT_ACTIONS]
    # Making a bucket is no right of its own for SeaweedFS.
    other = {"autos-provision": "not taken: not a valid action: 'CreateBucket'"}
    assert apply(store) == {**dict.fromkeys(users, "made"), **other}
    assert apply(store) == {**dict.fromkeys(users, "as it was"), **other}
    there = {"Bucket": "autos", "Key": "processes/policies/documents/one"}
    fetching = as_user(store, "autos-downloader")
    downloader: Any = make_client(fetching)
    api: Any = make_client(as_user(store, "autos-api"))
    wait_until(lambda: refusal(downloader.put_object, **there, Body=b"x") is None, what="the rights of downloader")
    wait_until(lambda: refusal(api.get_object, **there) is None, what="the rights of api")
    assert refusal(api.list_objects_v2, Bucket="autos", MaxKeys=1) is None
    assert refusal(api.put_object, **there, Body=b"y") == "AccessDenied"
    elsewhere = {"Bucket": "autos", "Key": "elsewhere"}
    assert refusal(downloader.put_object, **elsewhere, Body=b"y") == "AccessDenied"
    assert refusal(api.delete_object, **there) == "AccessDenied"
    assert refusal(downloader.delete_object, **elsewhere) == "AccessDenied"
    # As shared/storage/removal.py removes a case.
    removal = ObjectRemoval(fetching)
    assert removal.below("processes/policies/") == {"objects": 1, "uploads": 0}
    assert removal.below("processes/policies/") == {"objects": 0, "uploads": 0}
    for client in (api, downloader):
        assert refusal(client.create_bucket, Bucket="another") == "AccessDenied"
