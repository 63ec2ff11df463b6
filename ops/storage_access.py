"""What each service may do at the object store: as policies of AWS, applied or not, and as identities of SeaweedFS.

api reads and lists, downloader writes and removes too, notifier signs links that read, the operator's command reads and
lists; status has no business there. Provisioning alone makes the bucket and its rule. The
actions are those of the Amazon S3 API reference that the requests of shared/storage and of the services need.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from shared.settings import StorageSettings
from shared.storage.store import KEY_PREFIX

READ: Final = "s3:GetObject"
WRITE: Final = ("s3:PutObject", "s3:AbortMultipartUpload")
REMOVE: Final = ("s3:DeleteObject", "s3:DeleteObjectVersion")
"""For the deletion of cases and the retention of documents; of every version, where the bucket has versions."""
LIST: Final = "s3:ListBucket"
LIST_UPLOADS: Final = "s3:ListBucketMultipartUploads"
"""SeaweedFS does not know it: the policy is put there without it, and its rule alone removes uploads that broke off."""
LIST_ALL: Final = (LIST, "s3:ListBucketVersions", LIST_UPLOADS)
"""What whoever removes has to see: versions, and uploads that never ended."""

OBJECT_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "api": (READ,),
    "downloader": (READ, *WRITE, *REMOVE),
    "notifier": (READ,),
    "ops": (READ,),
}
"""By identity: what it may do with objects below ``processes/``."""

LISTERS: Final = frozenset({"api", "downloader", "ops"})
"""Who may list the bucket: it tells whether an object is missing or the bucket is."""

PROVISION: Final = "provision"
IDENTITIES: Final = (*OBJECT_ACTIONS, PROVISION)
POLICY_NAME: Final = "autos"
"""Of the policy that each user has."""
NOT_TAKEN: Final = "not taken"


def user(identity: str) -> str:
    """The user that an identity logs in as."""
    return f"autos-{identity}"


def policy(identity: str, bucket: str) -> dict[str, Any]:
    """The policy of one identity, as AWS IAM and what follows it read it. Raises KeyError for an unknown identity."""
    whole = f"arn:aws:s3:::{bucket}"
    if identity == PROVISION:
        actions = ["s3:CreateBucket", LIST, "s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"]
        return _policy(_statement("Bucket", actions, whole))
    statements = [_statement("Objects", list(OBJECT_ACTIONS[identity]), f"{whole}/{KEY_PREFIX}*")]
    if identity in LISTERS:
        removes = set(REMOVE) & set(OBJECT_ACTIONS[identity])
        statements.append(_statement("List", list(LIST_ALL) if removes else [LIST], whole))
    return _policy(*statements)


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(name: str, actions: list[str], resource: str) -> dict[str, Any]:
    return {"Sid": f"Autos{name}", "Effect": "Allow", "Action": actions, "Resource": resource}


def without(wanted: dict[str, Any], action: str) -> dict[str, Any]:
    """The policy without one action."""
    statements = [{**one, "Action": [each for each in one["Action"] if each != action]} for one in wanted["Statement"]]
    return {**wanted, "Statement": statements}


def seaweedfs(bucket: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The file of ``-s3.config``: an identity ``autos-…`` for each secret, limited to the bucket.

    SeaweedFS has coarser actions: Write makes objects and removes them, and only Admin makes a bucket.
    """
    return {
        "identities": [
            {
                "name": user(identity),
                "credentials": [{"accessKey": user(identity), "secretKey": secret}],
                "actions": [f"{action}:{bucket}" for action in _seaweedfs_actions(identity)],
            }
            for identity, secret in secrets.items()
        ]
    }


def _seaweedfs_actions(identity: str) -> list[str]:
    if identity == PROVISION:
        return ["Admin"]
    actions = ["Read"]
    if set(WRITE) & set(OBJECT_ACTIONS[identity]):
        actions.append("Write")
    if identity in LISTERS:
        actions.append("List")
    return actions


class StoreAccess:
    """The store's users, by the IAM API of AWS. Its methods raise what botocore raises."""

    def __init__(self, settings: StorageSettings, endpoint: str | None = None) -> None:
        """``endpoint``: where the IAM API is; None: where S3 is, as SeaweedFS has it, else AWS."""
        secret = settings.aws_secret_access_key
        self._client: Any = boto3.client(
            "iam",
            endpoint_url=endpoint or settings.s3_endpoint_url,
            region_name=settings.s3_region,
            aws_access_key_id=settings.aws_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            verify=None if settings.s3_ca_file is None else str(settings.s3_ca_file),
            config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"}),
        )

    def apply(self, bucket: str) -> Iterator[tuple[str, str]]:
        """Give each user its policy, one after the other: its name, and ``made``, ``changed`` or ``as it was``.

        A user that is missing is made, without a key. Other policies, other users and all keys stay as they are.
        ``not taken: …`` where the store does not know a right: SeaweedFS lets its administrator alone make buckets.
        """
        for identity in IDENTITIES:
            name, wanted = user(identity), policy(identity, bucket)
            made = self._ensure_user(name)
            found = self._policy_of(name)
            if found in (wanted, without(wanted, LIST_UPLOADS)):
                yield name, "made" if made else "as it was"
                continue
            refusal = self._take(name, wanted)
            if refusal is not None and LIST_UPLOADS.removeprefix("s3:") in refusal:
                refusal = self._take(name, without(wanted, LIST_UPLOADS))
            yield name, f"{NOT_TAKEN}: {refusal}" if refusal is not None else "made" if made else "changed"

    def _take(self, name: str, wanted: dict[str, Any]) -> str | None:
        """Give a user its policy; what the store says when it does not know a right in it."""
        try:
            self._put(name, wanted)
        except ClientError as error:
            if error.response["Error"]["Code"] != "MalformedPolicyDocument":
                raise
            return str(error.response["Error"].get("Message"))
        return None

    def _put(self, name: str, wanted: dict[str, Any]) -> None:
        self._client.put_user_policy(UserName=name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(wanted))

    def _ensure_user(self, name: str) -> bool:
        try:
            self._client.create_user(UserName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
            return False
        return True

    def _policy_of(self, name: str) -> Any:
        try:
            found = self._client.get_user_policy(UserName=name, PolicyName=POLICY_NAME)["PolicyDocument"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise
            return None
        return _with_lists(json.loads(found) if isinstance(found, str) else found)


def _with_lists(found: dict[str, Any]) -> dict[str, Any]:
    """The policy with a list of actions in each statement: a store may give the only one of a list as a word."""
    actions = [one["Action"] for one in found["Statement"]]
    lists = [[one] if isinstance(one, str) else one for one in actions]
    return {
        **found,
        "Statement": [{**one, "Action": said} for one, said in zip(found["Statement"], lists, strict=True)],
    }
