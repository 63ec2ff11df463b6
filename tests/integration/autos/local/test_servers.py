"""The servers of the embedded stack as the services see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import psycopg2
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from shared.events.topics import TOPICS
from shared.settings import StorageSettings
from shared.storage.store import make_client
from tests.support import Servers


@pytest.fixture
def admin(servers: Servers) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers.bootstrap_servers, "log_level": 0})


def test_every_topic_exists_with_its_partitions(admin: AdminClient) -> None:
    found = admin.list_topics(timeout=60).topics
    assert {spec.name: spec.partitions for spec in TOPICS} == {
        spec.name: len(found[spec.name].partitions) for spec in TOPICS if spec.name in found
    }


def test_topics_are_not_made_by_asking_for_them(admin: AdminClient) -> None:
    assert admin.list_topics("nobody.made.this", timeout=60).topics["nobody.made.this"].error is not None
    assert "nobody.made.this" not in admin.list_topics(timeout=60).topics


def test_a_killed_consumer_is_noticed_within_six_seconds(admin: AdminClient) -> None:
    resource = ConfigResource(ResourceType.BROKER, "1")
    config = admin.describe_configs([resource])[resource].result(60)
    assert config["group.consumer.session.timeout.ms"].value == "6000"
    assert config["group.consumer.heartbeat.interval.ms"].value == "2000"


@pytest.mark.parametrize("service", ["api", "downloader", "status", "notifier"])
def test_each_service_logs_in_with_its_own_role(servers: Servers, service: str) -> None:
    with closing(psycopg2.connect(servers.role_urls[service])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)")
        assert cursor.fetchone() == (f"autos_{service}", False)


def test_a_wrong_password_is_refused(servers: Servers) -> None:
    place = servers.owner_url.partition("@")[2]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(f"postgresql://postgres:wrong@{place}")


def test_a_kill_loses_no_committed_row(servers: Servers) -> None:
    with closing(psycopg2.connect(servers.owner_url)) as connection, connection.cursor() as cursor:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            cursor.execute(f"SHOW {setting}")
            assert cursor.fetchone() == ("on",)


@pytest.fixture
def client(servers: Servers) -> Iterator[Any]:
    """A client of the object store."""
    settings = StorageSettings.model_validate(
        {
            "s3_endpoint_url": servers.s3_endpoint_url,
            "s3_bucket": servers.s3_bucket,
            "aws_access_key_id": servers.s3_access_key_id,
            "aws_secret_access_key": servers.s3_secret_access_key,
        }
    )
    client: Any = make_client(settings)
    yield client
    client.close()


def test_the_store_answers_presigned_links_and_refuses_strangers(servers: Servers, client: Any) -> None:
    client.put_object(Bucket=servers.s3_bucket, Key="local/test", Body=b"some bytes")
    link = client.generate_presigned_url(
        "get_object", Params={"Bucket": servers.s3_bucket, "Key": "local/test"}, ExpiresIn=60
    )
    assert httpx.get(link).content == b"some bytes"
    assert httpx.get(f"{servers.s3_endpoint_url}/{servers.s3_bucket}/local/test").status_code == 403
    assert httpx.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 403


def test_the_bucket_has_the_rule_against_the_parts_of_broken_uploads(servers: Servers, client: Any) -> None:
    [rule] = client.get_bucket_lifecycle_configuration(Bucket=servers.s3_bucket)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert rule["Filter"] == {"Prefix": "processes/"} and rule["Status"] == "Enabled"


def test_every_server_listens_on_loopback_only(servers: Servers) -> None:
    import psutil

    if servers.data_dir is None:
        pytest.skip("containers have their own network")
    from autos.local.state import StateFiles

    processes = StateFiles(servers.data_dir).processes()
    assert set(processes) == {"kafka", "postgres", "s3"}
    for name, entry in processes.items():
        listening = [c.laddr.ip for c in psutil.Process(entry["pid"]).net_connections() if c.status == "LISTEN"]
        assert listening, name
        assert set(listening) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, name
