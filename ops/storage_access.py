"""What each service may do at the object store: as policies of AWS, applied or not, and as identities of SeaweedFS.

api reads and lists, downloader writes too, notifier signs links that read, the operator's command reads and lists;
status has no business there. Nobody may remove an object. Provisioning alone makes the bucket and its rule. The
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
LIST: Final = "s3:ListBucket"

OBJECT_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "api": (READ,),
    "downloader": (READ, *WRITE),
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
        statements.append(_statement("List", [LIST], whole))
    return _policy(*statements)


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(name: str, actions: list[str], resource: str) -> dict[str, Any]:
    return {"Sid": f"Autos{name}", "Effect": "Allow", "Action": actions, "Resource": resource}


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
            changed = self._policy_of(name) != wanted
            try:
                if changed:
                    self._put(name, wanted)
            except ClientError as error:
                if error.response["Error"]["Code"] != "MalformedPolicyDocument":
                    raise
                yield name, f"{NOT_TAKEN}: {error.response['Error'].get('Message')}"
                continue
            yield name, "made" if made else "changed" if changed else "as it was"

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
