"""What each service may do at the object store: as policies of AWS, and as identities of SeaweedFS.

api reads and lists, downloader writes too, notifier signs links that read, the operator's command reads and lists;
status has no business there. Nobody may remove an object. Provisioning alone makes the bucket and its rule. The
actions are those of the Amazon S3 API reference that the requests of shared/storage and of the services need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.storage.store import KEY_PREFIX

READ: Final = "s3:GetObject"
WRITE: Final = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
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
                "name": f"autos-{identity}",
                "credentials": [{"accessKey": f"autos-{identity}", "secretKey": secret}],
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
