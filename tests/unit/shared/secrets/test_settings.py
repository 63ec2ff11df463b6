"""Keys come from a variable or a file; a wrong one ends the start and is not shown."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from shared.secrets.keys import SecretKeys
from shared.secrets.settings import SecretsSettings
from shared.settings import load
from shared.shown_settings import shown

ONE, TWO, THREE = (base64.b64encode(os.urandom(32)).decode() for _ in range(3))


def test_the_variable_stands_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not load(SecretsSettings).secret_keys
    file = tmp_path / "keys"
    file.write_text(f"{TWO}\n{THREE}\n")
    monkeypatch.setenv("AUTOS_SECRETS_KEY_FILE", str(file))
    assert load(SecretsSettings).secret_keys.key_ids == SecretKeys([TWO, THREE]).key_ids
    monkeypatch.setenv("AUTOS_SECRETS_KEY", f"{ONE}, {TWO}")
    settings = load(SecretsSettings)
    assert settings.secret_keys.key_ids == SecretKeys([ONE, TWO, THREE]).key_ids
    for key in (ONE, TWO, THREE):
        assert key not in f"{settings!r} {shown(settings)}"


def test_a_wrong_key_ends_the_start_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    for variable, value, content in (
        ("AUTOS_SECRETS_KEY", ONE[:-8], ""),
        ("AUTOS_SECRETS_KEY", "not-base64!", ""),
        ("AUTOS_SECRETS_KEY_FILE", str(file), "secret that is none"),
        ("AUTOS_SECRETS_KEY_FILE", str(file), " \n"),
        ("AUTOS_SECRETS_KEY_FILE", str(tmp_path / "absent"), ""),
    ):
        file.write_text(content)
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            with pytest.raises(SystemExit) as ended:
                load(SecretsSettings)
        said = capsys.readouterr().err
        assert ended.value.code == 2 and said.startswith(f"wrong settings: {variable}: ") and said.count("\n") == 1
        assert ONE[:-8] not in said and "secret that is none" not in said
