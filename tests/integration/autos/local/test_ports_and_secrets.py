from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from autos.local.ports_and_secrets import PortsAndSecrets, free_port, read_json, write_json


def test_ports_and_secrets_stay_the_same(tmp_path: Path) -> None:
    first, second = PortsAndSecrets(tmp_path), PortsAndSecrets(tmp_path)
    assert first.ports(["a", "b"]) == second.ports(["a", "b"])
    assert first.secret("password") == second.secret("password")
    assert len(set(first.ports(["a", "b", "c"]).values())) == 3


def test_a_port_that_is_taken_is_chosen_anew(tmp_path: Path) -> None:
    saved = PortsAndSecrets(tmp_path)
    port = saved.ports(["a"])["a"]
    with socket.create_server(("127.0.0.1", port)):
        other = saved.ports(["a"])["a"]
    assert other != port
    assert saved.ports(["a"])["a"] == other


def test_a_preferred_port_is_taken_where_it_is_free(tmp_path: Path) -> None:
    wanted = free_port()
    with socket.create_server(("127.0.0.1", wanted)):
        other = PortsAndSecrets(tmp_path).ports(["a"], {"a": wanted})["a"]
    assert other != wanted
    # What is kept stays; a name without a port gets the one that is preferred.
    assert PortsAndSecrets(tmp_path).ports(["a", "b"], {"a": wanted, "b": wanted}) == {"a": other, "b": wanted}


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    saved = PortsAndSecrets(tmp_path)
    key = saved.secret("api_key", prefix="autos_sk_")
    assert key.startswith("autos_sk_")
    assert len(key) >= 50
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    path.write_text('{"a": 1')
    assert read_json(path) == {}
    assert PortsAndSecrets(tmp_path).ports(["a"])["a"] > 0


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]
