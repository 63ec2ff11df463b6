from __future__ import annotations

import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autos.local.ports_and_secrets import PortsAndSecrets, claim, free_port, is_free, read_json, write_json


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


def test_a_port_that_another_stack_has_chosen_is_not_chosen_before_its_server_listens(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    script = (
        "import sys; from pathlib import Path; from autos.local.ports_and_secrets import PortsAndSecrets;"
        " print(PortsAndSecrets(Path(sys.argv[1])).ports(['a'])['a'], flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "other")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert is_free(port)
        write_json(tmp_path / "ports.json", {"a": port})
        chosen = PortsAndSecrets(tmp_path).ports(["a"])["a"]
        other.kill()
    assert chosen != port
    # The kernel takes it back from a process that was killed.
    assert claim(port)


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
