"""What may be set about PDPJ, and which log-in follows from it."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest
from pydantic import ValidationError

from shared.settings import load
from sources.pdpj.auth.credentials import FixedToken, SharedToken, build_credentials, credential_name
from sources.pdpj.auth.token_store import MemoryCredentialStore
from sources.pdpj.settings import PdpjSettings, TokenGrant

LOG_IN = {"pdpj_token_url": "https://sso.example/token", "pdpj_client_id": "autos", "pdpj_client_secret": "s"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET", "ACCESS_TOKEN", "REFRESH_TOKEN", "API"):
        monkeypatch.delenv(f"AUTOS_PDPJ_{name}", raising=False)


def made(**fields: Any) -> PdpjSettings:
    return PdpjSettings(_env_file=None, **{"pdpj_base_url": "https://portal.example/", **fields})


@pytest.mark.parametrize(
    ("fields", "grant"),
    [
        ({"pdpj_access_token": "t"}, TokenGrant.FIXED),
        (LOG_IN, TokenGrant.CLIENT_CREDENTIALS),
        ({**LOG_IN, "pdpj_refresh_token": "r"}, TokenGrant.REFRESH_TOKEN),
        ({**LOG_IN, "pdpj_refresh_token": "r", "pdpj_access_token": "t"}, TokenGrant.REFRESH_TOKEN),
        ({**LOG_IN, "pdpj_refresh_token": "", "pdpj_access_token": ""}, TokenGrant.CLIENT_CREDENTIALS),
    ],
)
def test_grant(fields: dict[str, Any], grant: TokenGrant) -> None:
    assert made(**fields).pdpj_grant is grant


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pdpj_token_url": "https://sso.example/token"},
        {"pdpj_refresh_token": "r"},
        {"pdpj_access_token": "t", "pdpj_base_url": "portal.example"},
        {"pdpj_access_token": "t", "pdpj_base_url": "ftp://portal.example"},
        {"pdpj_access_token": "t", "pdpj_base_url": "https://user:word@portal.example"},
        {"pdpj_access_token": "t", "pdpj_base_url": "https://portal.example/?x"},
        {"pdpj_access_token": "t", "pdpj_base_url": "https://"},
        {"pdpj_access_token": "t\r\nX-Evil: 1"},
        {"pdpj_access_token": "t", "pdpj_api": "other"},
        {"pdpj_access_token": "t", "pdpj_read_timeout": 0},
    ],
)
def test_wrong_settings_stop_the_start(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**fields)


def test_names_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOS_PDPJ_BASE_URL", "https://portal.example/base/")
    monkeypatch.setenv("AUTOS_PDPJ_ACCESS_TOKEN", "t")
    monkeypatch.setenv("AUTOS_PDPJ_API", "datalake")
    settings = PdpjSettings(_env_file=None)
    assert (settings.pdpj_base_url, settings.pdpj_api.value) == ("https://portal.example/base", "datalake")
    assert "t" not in str(settings.pdpj_access_token)


def test_another_secret_is_another_credential() -> None:
    names = {
        credential_name(made(**fields))
        for fields in (LOG_IN, {**LOG_IN, "pdpj_client_secret": "other"}, {**LOG_IN, "pdpj_refresh_token": "r"})
    }
    assert len(names) == 3
    assert credential_name(made(**LOG_IN)) in names


def test_who_may_only_read_never_logs_in_with_a_refresh_token() -> None:
    settings = made(**LOG_IN, pdpj_refresh_token="r")
    assert isinstance(build_credentials(settings, store=MemoryCredentialStore(), read_only=True), SharedToken)
    with pytest.raises(ValueError, match="store"):
        build_credentials(settings, read_only=True)
    assert isinstance(build_credentials(made(pdpj_access_token="t"), read_only=True), FixedToken)


BROWSER = {"Accept-Language": "pt-BR,pt;q=0.9", "sec-fetch-mode": "cors", "Cookie": "a=secret-of-a-gateway"}


def test_added_headers_are_read_and_their_values_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOS_PDPJ_BASE_URL", "https://portal.example")
    monkeypatch.setenv("AUTOS_PDPJ_ACCESS_TOKEN", "t")
    monkeypatch.setenv("AUTOS_PDPJ_HEADERS", json.dumps(BROWSER))
    settings = load(PdpjSettings)
    assert settings.added_fields == tuple((name.lower(), value) for name, value in BROWSER.items())
    assert "secret-of-a-gateway" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTOS_PDPJ_HEADERS", "no json"),
        ("AUTOS_PDPJ_HEADERS", '["a"]'),
        ("AUTOS_PDPJ_HEADERS", '{"x-number": 7}'),
        ("AUTOS_PDPJ_HEADERS", '{"x-null": null}'),
        ("AUTOS_PDPJ_HEADERS", '{"Authorization": "secret-value"}'),
        ("AUTOS_PDPJ_HEADERS", '{"HOST": "secret-value"}'),
        ("AUTOS_PDPJ_HEADERS", '{"content-length": "1"}'),
        ("AUTOS_PDPJ_HEADERS", '{"Transfer-Encoding": "chunked"}'),
        ("AUTOS_PDPJ_HEADERS", '{"If-None-Match": "x"}'),
        ("AUTOS_PDPJ_HEADERS", '{"x": "secret-value\\r\\nX-Evil: 1"}'),
        ("AUTOS_PDPJ_HEADERS", '{"x": "secret-value\\u0000"}'),
        ("AUTOS_PDPJ_HEADERS", '{"x": "secret-value\\u00e9"}'),
        ("AUTOS_PDPJ_HEADERS", '{"x\\r\\ny": "v"}'),
        ("AUTOS_PDPJ_HEADERS", '{"x y": "v"}'),
        ("AUTOS_PDPJ_HEADERS", '{"": "v"}'),
        ("AUTOS_PDPJ_HEADERS", '{"x": "v", "X": "w"}'),
        ("AUTOS_PDPJ_HEADERS", json.dumps({"x": "v" * 5000})),
        ("AUTOS_PDPJ_HEADERS", json.dumps({f"x-{number}": "v" for number in range(40)})),
        ("AUTOS_PDPJ_USER_AGENT", "a\nb"),
        ("AUTOS_PDPJ_USER_AGENT", "   "),
        ("AUTOS_PDPJ_POOL_SIZE", "0"),
        ("AUTOS_PDPJ_HTTP2", "perhaps"),
    ],
)
def test_wrong_headers_stop_the_start_with_one_line_that_shows_no_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOS_PDPJ_BASE_URL", "https://portal.example")
    monkeypatch.setenv("AUTOS_PDPJ_ACCESS_TOKEN", "t")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(PdpjSettings)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.count("\n") == 1
    assert name in told or name.removeprefix("AUTOS_").lower() in told
    assert "secret-value" not in told


def test_the_default_user_agent_says_who_asks_and_its_version() -> None:
    assert made(pdpj_access_token="t").pdpj_user_agent.startswith(f"Autos/{version('autos')} ")
