"""What the first log line shows of the settings: what was set, and nothing that anybody could use."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from autos import __version__ as packaged
from services.api.settings import ApiSettings
from services.downloader.settings import DownloaderSettings
from services.notifier.settings import NotifierSettings
from services.status.settings import StatusSettings
from shared.service import start_fields
from shared.settings import AutosSettings
from shared.shown_settings import HIDDEN, shown
from shared.version import __version__

SECRET = "hunter2secret"
GIVEN = {
    "AUTOS_DATABASE_URL": f"postgresql://autos_api:{SECRET}@db.internal:5432/autos?sslpassword={SECRET}",
    "AUTOS_KAFKA_BOOTSTRAP_SERVERS": "kafka-1:9092,kafka-2:9092",
    "AUTOS_KAFKA_CONFIG": f'{{"sasl.username": "api", "sasl.password": "{SECRET}"}}',
    "AUTOS_S3_ENDPOINT_URL": f"https://user:{SECRET}@s3.internal",
    "AWS_ACCESS_KEY_ID": f"AKIA{SECRET}",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AUTOS_PDPJ_CLIENT_ID": "autos",
    "AUTOS_PDPJ_CLIENT_SECRET": SECRET,
    "AUTOS_PDPJ_REFRESH_TOKEN": SECRET,
    "AUTOS_PDPJ_ACCESS_TOKEN": SECRET,
    "AUTOS_PDPJ_BASE_URL": "https://portal.example/api",
    "AUTOS_PDPJ_TOKEN_URL": "https://sso.example/token",
    "AUTOS_PDPJ_HEADERS": f'{{"X-Api-Key": "{SECRET}"}}',
    "AUTOS_SMTP_HOST": "mail.internal",
    "AUTOS_SMTP_USERNAME": f"maria-{SECRET}",
    "AUTOS_SMTP_PASSWORD": SECRET,
    "AUTOS_SMTP_TO": f"maria.{SECRET}@office.example",
    "AUTOS_ALERT_WEBHOOK_URL": f"https://hooks.example/services/T0/{SECRET}",
    "AUTOS_LOG_LEVEL": "DEBUG",
    "AUTOS_METRICS_PORT": "9100",
}


@pytest.mark.parametrize("settings", [ApiSettings, DownloaderSettings, StatusSettings, NotifierSettings])
def test_no_secret_and_no_address_of_a_person_is_shown(
    settings: type[AutosSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    fields = start_fields(settings())
    assert SECRET not in str(fields)
    assert "maria" not in str(fields)
    found = fields["settings"]
    assert isinstance(found, dict)
    assert found["AUTOS_DATABASE_URL"] == "postgresql://db.internal:5432/autos"
    assert found["AUTOS_KAFKA_CONFIG"] == {"sasl.password": HIDDEN, "sasl.username": HIDDEN}
    assert found["AUTOS_LOG_LEVEL"] == "DEBUG"
    assert fields["version"] == __version__
    assert fields["listens"] == {
        "metrics": "http://127.0.0.1:9100/metrics",
        **({"api": "http://127.0.0.1:8000"} if settings is ApiSettings else {}),
    }


def test_every_secret_text_of_the_services_is_hidden() -> None:
    """Also of settings that come later: a secret is declared as one."""
    for settings in (ApiSettings, DownloaderSettings, StatusSettings, NotifierSettings):
        for name, field in settings.model_fields.items():
            if "SecretStr" in str(field.annotation):
                values: dict[str, Any] = {name: SecretStr(SECRET)}
                given = settings.model_construct({name}, **values)
                assert set(shown(given).values()) == {HIDDEN}, name


def test_a_default_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOS_LOG_LEVEL", "INFO")
    monkeypatch.setenv("AUTOS_SHUTDOWN_SECONDS", "7")
    assert shown(AutosSettings()) == {"AUTOS_SHUTDOWN_SECONDS": 7.0}


def test_services_and_package_have_one_version() -> None:
    assert __version__ == packaged
