"""ops/storage_access.py: who may do what at the object store."""

from __future__ import annotations

import pytest

from ops.storage_access import IDENTITIES, policy, seaweedfs


def actions(identity: str) -> dict[str, set[str]]:
    """By resource: what is allowed."""
    found: dict[str, set[str]] = {}
    for statement in policy(identity, "papers")["Statement"]:
        assert statement["Effect"] == "Allow"
        found.setdefault(statement["Resource"], set()).update(statement["Action"])
    return found


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"])
def test_only_the_downloader_writes_and_removes(action: str) -> None:
    objects = "arn:aws:s3:::papers/processes/*"
    assert [one for one in IDENTITIES if action in actions(one).get(objects, set())] == ["downloader"]
    assert not [one for one in IDENTITIES if action in actions(one).get("arn:aws:s3:::papers", set())]


def test_the_notifier_signs_links_and_sees_no_list() -> None:
    assert actions("notifier") == {"arn:aws:s3:::papers/processes/*": {"s3:GetObject"}}


def test_every_right_is_about_the_bucket() -> None:
    for identity in IDENTITIES:
        for resource, allowed in actions(identity).items():
            assert resource in ("arn:aws:s3:::papers", "arn:aws:s3:::papers/processes/*")
            assert "*" not in "".join(allowed)


def test_seaweedfs_gets_an_identity_for_each_secret() -> None:
    found = seaweedfs("papers", {"api": "a", "downloader": "b", "notifier": "c"})["identities"]
    assert {one["name"]: one["actions"] for one in found} == {
        "autos-api": ["Read:papers", "List:papers"],
        "autos-downloader": ["Read:papers", "Write:papers", "List:papers"],
        "autos-notifier": ["Read:papers"],
    }
    assert found[0]["credentials"] == [{"accessKey": "autos-api", "secretKey": "a"}]
    with pytest.raises(KeyError):
        seaweedfs("papers", {"status": "a"})
