from __future__ import annotations

from pathlib import Path

import pytest

from autos.local.composition import (
    Endpoints,
    WrongScale,
    base_environment,
    parse_scale,
    process_names,
    receiver_command,
    service_command,
)

ENDPOINTS = Endpoints(
    kafka="127.0.0.1:1",
    s3_endpoint="http://127.0.0.1:2",
    s3_bucket="autos",
    s3_access_key_id="key",
    s3_secret_access_key="secret",
    database_urls={name: f"postgresql://autos_{name}@127.0.0.1/autos" for name in ("api", "downloader")},
    api_host="127.0.0.1",
    api_ports={"api": 3, "api.2": 8},
    pdpj_port=4,
    control_port=9100,
    receiver_port=5,
    metrics_ports={"downloader": 6, "downloader.2": 7},
)
HERE = Path("data")


def environment(**own: str) -> dict[str, str]:
    return base_environment(own, ENDPOINTS, HERE)


def test_replicas_are_numbered_from_the_second_on() -> None:
    names = process_names(parse_scale(["downloader=3", "notifier=0"]))
    assert names == [
        ("api", "api", "1"),
        ("downloader", "downloader", "1"),
        ("downloader.2", "downloader", "2"),
        ("downloader.3", "downloader", "3"),
        ("status", "status", "1"),
    ]


@pytest.mark.parametrize("value", ["worker=2", "downloader", "downloader=x", "downloader=-1", "downloader=65", "api=0"])
def test_a_wrong_scale_is_named(value: str) -> None:
    with pytest.raises(WrongScale, match=value.split("=", maxsplit=1)[0]):
        parse_scale([value])


def test_the_users_own_settings_reach_the_services() -> None:
    env = environment(AUTOS_WEBHOOK_RETRY_DELAYS="1,2,3", AUTOS_WEBHOOK_ALLOWED_NETWORKS="10.0.0.0/8")
    assert env["AUTOS_WEBHOOK_RETRY_DELAYS"] == "1,2,3"
    assert env["AUTOS_WEBHOOK_ALLOWED_NETWORKS"] == "10.0.0.0/8"


def test_the_servers_are_always_the_stacks_own() -> None:
    env = environment(
        AUTOS_KAFKA_BOOTSTRAP_SERVERS="elsewhere:9092",
        AUTOS_KAFKA_CONFIG='{"security.protocol": "SSL"}',
        AUTOS_S3_ENDPOINT_URL="http://elsewhere",
        AWS_ACCESS_KEY_ID="other",
        AWS_SESSION_TOKEN="other",
    )
    assert env["AUTOS_KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"
    assert env["AUTOS_KAFKA_CONFIG"] == "{}"
    assert env["AUTOS_S3_ENDPOINT_URL"] == env["AUTOS_S3_PUBLIC_ENDPOINT_URL"] == "http://127.0.0.1:2"
    assert env["AWS_ACCESS_KEY_ID"] == "key"
    assert "AWS_SESSION_TOKEN" not in env


def test_loopback_webhooks_are_allowed_unless_the_user_says_otherwise() -> None:
    assert environment()["AUTOS_WEBHOOK_ALLOWED_NETWORKS"] == "127.0.0.0/8,::1/128"


def test_the_simulator_is_the_source_in_the_shape_that_was_chosen() -> None:
    assert environment()["AUTOS_PDPJ_BASE_URL"] == "http://127.0.0.1:4/portal"
    assert environment(AUTOS_PDPJ_API="datalake")["AUTOS_PDPJ_BASE_URL"] == "http://127.0.0.1:4/datalake"
    assert environment()["AUTOS_PDPJ_TOKEN_URL"] == "http://127.0.0.1:4/token"


def test_an_empty_setting_counts_as_unset() -> None:
    assert environment(AUTOS_PDPJ_BASE_URL="")["AUTOS_PDPJ_BASE_URL"] == "http://127.0.0.1:4/portal"


def test_each_process_has_its_role_its_replica_and_its_ports() -> None:
    base = environment(AUTOS_METRICS_PORT="9", AUTOS_DATABASE_URL="postgresql://elsewhere/x")
    api = service_command("api", "api", "1", base, ENDPOINTS, HERE)
    second = service_command("downloader.2", "downloader", "2", base, ENDPOINTS, HERE)
    assert api.env["AUTOS_DATABASE_URL"] == "postgresql://autos_api@127.0.0.1/autos"
    assert api.env["AUTOS_API_PORT"] == "3"
    assert "AUTOS_METRICS_PORT" not in api.env
    assert service_command("api.2", "api", "2", base, ENDPOINTS, HERE).env["AUTOS_API_PORT"] == "8"
    assert second.env["AUTOS_DATABASE_URL"] == "postgresql://autos_downloader@127.0.0.1/autos"
    assert second.env["AUTOS_REPLICA"] == "2"
    assert second.env["AUTOS_METRICS_PORT"] == "7"
    assert second.log == HERE / "downloader.2.log"


def test_no_secret_is_in_a_command_line() -> None:
    command = receiver_command(5, "whsec_abc", environment(), HERE)
    assert not any("whsec_abc" in word for word in command.argv)
    assert command.env["AUTOS_RECEIVER_SECRET"] == "whsec_abc"
