"""Settings: what is read from where, the value types, and the one clear line for a wrong one."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import (
    DatabaseSettings,
    KafkaSettings,
    Rate,
    StorageSettings,
    WebhookGuardSettings,
    load,
    parse_rate,
    parse_seconds,
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the developer's own, and no .env of the working directory."""
    import os

    for name in list(os.environ):
        if name.startswith(("AUTOS_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AUTOS_KAFKA_BOOTSTRAP_SERVERS=file:1\nAUTOS_REPLICA=7\nUNRELATED=x\n")
    assert load(KafkaSettings).kafka_bootstrap_servers == "file:1"
    monkeypatch.setenv("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "environment:2")
    settings = load(KafkaSettings)
    assert (settings.kafka_bootstrap_servers, settings.replica) == ("environment:2", "7")
    assert settings.group("status") == "autos.status"
    assert settings.data_dir == Path(".autos")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AUTOS_DATABASE_URL", "mysql://x", "AUTOS_DATABASE_URL: "),
        ("AUTOS_DATABASE_POOL_SIZE", "0", "AUTOS_DATABASE_POOL_SIZE: "),
        ("AUTOS_LOG_LEVEL", "loud", "AUTOS_LOG_LEVEL: "),
    ],
)
def test_a_wrong_value_ends_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, said: str
) -> None:
    monkeypatch.setenv("AUTOS_DATABASE_URL", "postgresql://localhost/autos")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(DatabaseSettings)
    assert ended.value.code == 2
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.startswith(f"wrong settings: {said}")


def test_a_missing_value_is_named_with_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load(KafkaSettings)
    assert "AUTOS_KAFKA_BOOTSTRAP_SERVERS" in capsys.readouterr().err


def test_a_refusal_does_not_show_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOS_DATABASE_URL", "mysql://user:very-secret@host/autos")
    with pytest.raises(SystemExit):
        load(DatabaseSettings)
    assert "very-secret" not in capsys.readouterr().err


def test_kafka_properties_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2")
    monkeypatch.setenv("AUTOS_KAFKA_CONFIG", '{"security.protocol": "SASL_SSL", "sasl.username": "u"}')
    assert load(KafkaSettings).kafka_config == {"security.protocol": "SASL_SSL", "sasl.username": "u"}


def test_storage_credentials_have_their_usual_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("AUTOS_S3_ENDPOINT_URL", "http://127.0.0.1:8333")
    settings = load(StorageSettings)
    assert settings.aws_access_key_id == "key"
    assert settings.s3_bucket == "autos"
    assert "hidden" not in repr(settings)
    assert settings.aws_secret_access_key is not None
    assert settings.aws_secret_access_key.get_secret_value() == "hidden"


@pytest.mark.parametrize("text", ["127.0.0.0/8,::1/128", '["127.0.0.0/8", "::1/128"]', " 127.0.0.0/8 , ::1/128 "])
def test_networks_and_domains_are_lists(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AUTOS_WEBHOOK_ALLOWED_NETWORKS", text)
    monkeypatch.setenv("AUTOS_WEBHOOK_ALLOWED_DOMAINS", "a.example,b.example")
    settings = load(WebhookGuardSettings)
    assert settings.webhook_allowed_networks == (
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
    )
    assert settings.webhook_allowed_domains == ("a.example", "b.example")


def test_a_wrong_network_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AUTOS_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.1/8")
    with pytest.raises(SystemExit):
        load(WebhookGuardSettings)
    assert "AUTOS_WEBHOOK_ALLOWED_NETWORKS" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"not a certificate"])
def test_a_file_without_certificates_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    monkeypatch.setenv("AUTOS_WEBHOOK_CA_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(SystemExit):
        load(WebhookGuardSettings)
    assert capsys.readouterr().err == (
        "wrong settings: AUTOS_WEBHOOK_CA_FILE: must be a readable file of certificates in PEM form\n"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("0.5", 0.5), ("250ms", 0.25), ("30s", 30), ("2m", 120), ("6h", 21600), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "five", "-1", "1w", "1 2"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_seconds(text)


def test_rates() -> None:
    assert parse_rate("60/minute") == Rate(60, 60.0)
    assert parse_rate(" 5 / seconds ") == Rate(5, 1.0)
    rate = parse_rate("100/hour")
    assert isinstance(rate, Rate)
    assert rate.interval == 36.0
    for wrong in ("0/minute", "60", "60/fortnight", "/minute"):
        with pytest.raises(ValueError, match="60/minute"):
            parse_rate(wrong)


@given(st.integers(1, 10**6), st.sampled_from(["second", "minute", "hour", "day"]))
def test_a_rate_is_its_limit_in_its_period(limit: int, unit: str) -> None:
    rate = parse_rate(f"{limit}/{unit}")
    assert isinstance(rate, Rate)
    assert rate.limit * rate.interval == pytest.approx(rate.period)
