"""Object keys, the bucket and presigned links, against an S3 in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from shared.domain.cnj import InvalidProcessNumber
from shared.settings import StorageSettings
from shared.storage.bucket import ensure_bucket, ensure_parts_expire
from shared.storage.links import LINK_SECONDS, PresignedLinks
from shared.storage.store import make_client, make_store, object_key

NUMBER = "1000145-91.2023.8.26.0597"


def settings(**fields: Any) -> StorageSettings:
    return StorageSettings(
        _env_file=None,
        **{"s3_bucket": "documents", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", **fields},
    )


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        yield make_client(settings())


def test_a_key_is_the_digits_and_the_document() -> None:
    assert object_key(NUMBER, "d1") == "processes/10001459120238260597/documents/d1"
    with pytest.raises(InvalidProcessNumber):
        object_key("1234567-89.2023.8.02.0001", "d1")


def test_the_bucket_is_made_once(s3: Any) -> None:
    ensure_bucket(settings())
    ensure_bucket(settings())
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["documents"]


def test_the_bucket_is_made_in_its_region() -> None:
    with mock_aws():
        ensure_bucket(settings(s3_region="sa-east-1"))
        client: Any = make_client(settings(s3_region="sa-east-1"))
        assert client.get_bucket_location(Bucket="documents")["LocationConstraint"] == "sa-east-1"


def test_a_refusal_is_not_taken_for_a_missing_bucket(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def head_bucket(self, **_: object) -> None:
            raise ClientError({"ResponseMetadata": {"HTTPStatusCode": 403}, "Error": {"Code": "403"}}, "HeadBucket")

    monkeypatch.setattr("shared.storage.bucket.make_client", lambda _: Refusing())
    with pytest.raises(ClientError):
        ensure_bucket(settings())


def test_parts_of_broken_uploads_expire_and_the_rules_of_others_stay(s3: Any) -> None:
    ensure_bucket(settings())
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket="documents", LifecycleConfiguration={"Rules": [theirs]})
    for _ in range(2):
        assert ensure_parts_expire(settings())
        first, ours = s3.get_bucket_lifecycle_configuration(Bucket="documents")["Rules"]
        assert first == theirs
        assert ours["Status"] == "Enabled"
        assert ours["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
        assert object_key(NUMBER, "d1").startswith(ours["Filter"]["Prefix"])


def test_an_older_rule_of_ours_is_replaced(s3: Any) -> None:
    ensure_bucket(settings())
    assert ensure_parts_expire(settings())
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket="documents")["Rules"]
    changed = {**rule, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket="documents", LifecycleConfiguration={"Rules": [changed]})
    assert ensure_parts_expire(settings())
    assert s3.get_bucket_lifecycle_configuration(Bucket="documents")["Rules"] == [rule]


@pytest.mark.parametrize("refused", ["get", "put"])
@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented"])
def test_a_store_that_refuses_the_rule_will_do(
    s3: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, refused: str, code: str
) -> None:
    class Refusing:
        def get_bucket_lifecycle_configuration(self, **_: object) -> dict[str, Any]:
            return self._answer("get")

        def put_bucket_lifecycle_configuration(self, **_: object) -> dict[str, Any]:
            return self._answer("put")

        def _answer(self, name: str) -> dict[str, Any]:
            if name == refused:
                raise ClientError({"Error": {"Code": code}}, name)
            return {"Rules": []}

    monkeypatch.setattr("shared.storage.bucket.make_client", lambda _: Refusing())
    assert not ensure_parts_expire(settings())
    [record] = caplog.records
    assert record.levelname == "WARNING" and record.__dict__["code"] == code


def test_a_link_is_signed_for_its_time_and_its_answer() -> None:
    links = PresignedLinks(make_client(settings(s3_endpoint_url="http://127.0.0.1:8333")), "documents")
    link = links.make("processes/1/documents/d", content_disposition="inline", content_type="application/pdf")
    parts = urlsplit(link)
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("http", "127.0.0.1:8333")
    assert parts.path == "/documents/processes/1/documents/d"
    assert query["X-Amz-Expires"] == [str(LINK_SECONDS)]
    assert query["response-content-type"] == ["application/pdf"]
    assert "X-Amz-Signature" in query


def test_public_links_name_the_public_host() -> None:
    both = settings(s3_endpoint_url="http://store:8333", s3_public_endpoint_url="https://files.example")
    link = PresignedLinks(make_client(both, public=True), "documents").make("k")
    assert link.startswith("https://files.example/documents/k?")
    inside = PresignedLinks(make_client(both), "documents").make("k")
    assert inside.startswith("http://store:8333/")


def test_the_data_path_is_made_with_and_without_an_endpoint() -> None:
    assert make_store(settings(s3_endpoint_url="http://127.0.0.1:8333")) is not None
    assert make_store(settings()) is not None
