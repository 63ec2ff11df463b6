"""What a server or a file refuses is one line with status 2, never a traceback, and holds no password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autos.main import main

ENVIRON = {
    "AUTOS_DATABASE_URL": "postgresql://autos:hunter2@127.0.0.1:9/autos",
    "AUTOS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "AUTOS_S3_ENDPOINT_URL": "http://127.0.0.1:9",
    "AUTOS_API_URL": "http://127.0.0.1:9",
    "AUTOS_API_KEY": "none",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "y",
}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["keys", "list"], 2),
        (["keys", "create", "OFFICE"], 2),
        (["keys", "revoke", "no-such-id"], 2),
        (["keys", "revoke", "5b0e9e2c-6b1c-4a53-8a56-0b6a1d4f1c11"], 2),
        (["dead", "show", "no-such-id"], 2),
        (["fetch"], 2),
        (["fetch", "1000145-91.2023.8.26.0597", "--since", "2026-01-01"], 2),
        (["fetch", "--from-csv", "missing.csv"], 2),
        (["fetch", "1000145-91.2023.8.26.0597", "--out", "a-file"], 2),
        (["fetch", "1000145-91.2023.8.26.0597", "--out", "files", "--since", "yesterday"], 2),
        (["redeliver"], 2),
        (["redeliver", "nonsense"], 1),
        (["deliveries"], 1),
        (["status", "1"], 1),
        (["dead", "list"], 2),
        (["dead", "show", "outbox/catalog/5"], 2),
        (["dead", "replay", "nonsense"], 2),
        (["projection", "rebuild"], 2),
        (["repair", "--process", "1"], 2),
        (["up"], 2),
        (["up", "--detach"], 2),
        (["up", "--scale", "downloader=much"], 2),
        (["ps"], 1),
        (["demo"], 2),
        (["doctor", "--source"], 2),
    ],
)
def test_what_goes_wrong_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    # A file in the way of the data directory, and of the folder for files.
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("AUTOS_DATA_DIR", str(tmp_path / "a-file"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["autos", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert ended.value.code == status, err
    assert "Traceback" not in err
    assert "hunter2" not in out + err
    assert len(err.strip().splitlines()) == 1, err


@pytest.mark.parametrize("config", ["{bad", "[]", '"sasl.username"'])
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], config: str
) -> None:
    for name, value in {**ENVIRON, "AUTOS_KAFKA_CONFIG": config}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["autos", "topics"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capfd.readouterr().err.startswith("AUTOS_KAFKA_CONFIG ")


@pytest.mark.parametrize("days", ["0", "-1", "99999999999"])
def test_a_key_is_made_for_a_time_that_there_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], days: str
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["autos", "keys", "create", "OFFICE", "--days", days])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--days" in capfd.readouterr().err
