"""Deaths and starts of the embedded servers: what dies comes back, what ends leaves nothing, data stays."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from autos.local.server import Command, run
from autos.local.state import StateFiles
from shared.settings import StorageSettings
from shared.storage.store import make_client
from tests.embedded import embedded_servers
from tests.support import Servers, processes_of, wait_until

TOPIC = "process.completed"


def test_a_log_is_for_its_owner_only(tmp_path: Path) -> None:
    """Also one that an earlier release left open to everybody."""
    log = tmp_path / "logs" / "some.log"
    log.parent.mkdir()
    log.touch(0o644)
    run(Command((sys.executable, "-c", "print('said')"), log))
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "said" in log.read_text()


def put_data(servers: Servers, label: str) -> None:
    """Something in each of the three servers."""
    with closing(psycopg2.connect(servers.owner_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept (label text)")
        cursor.execute("INSERT INTO kept VALUES (%s)", (label,))
    producer = Producer({"bootstrap.servers": servers.bootstrap_servers, "acks": "all", "log_level": 0})
    producer.produce(TOPIC, label.encode(), partition=0)
    assert producer.flush(60) == 0
    client = store(servers)
    client.put_object(Bucket=servers.s3_bucket, Key=f"kept/{label}", Body=label.encode())
    client.close()


def rows(servers: Servers) -> list[str]:
    with closing(psycopg2.connect(servers.owner_url, connect_timeout=2)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT label FROM kept ORDER BY label")
        return [row[0] for row in cursor.fetchall()]


def _end(consumer: Consumer, part: TopicPartition) -> int:
    """0 while the broker, which has just been started again, does not lead the partition yet."""
    try:
        return int(consumer.get_watermark_offsets(part, timeout=60)[1])
    except KafkaException:
        return 0


def records(servers: Servers) -> list[str]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers.bootstrap_servers,
            "group.id": "kept",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    try:
        part = TopicPartition(TOPIC, 0, 0)
        consumer.assign([part])
        end = wait_until(lambda: _end(consumer, part))
        found: list[str] = []
        for _ in range(100):
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append((message.value() or b"").decode())
            if len(found) == end:
                break
        return found
    finally:
        consumer.close()


def store(servers: Servers) -> Any:
    return make_client(
        StorageSettings.model_validate(
            {
                "s3_endpoint_url": servers.s3_endpoint_url,
                "s3_bucket": servers.s3_bucket,
                "aws_access_key_id": servers.s3_access_key_id,
                "aws_secret_access_key": servers.s3_secret_access_key,
            }
        )
    )


def objects(servers: Servers) -> list[str]:
    client = store(servers)
    try:
        listing = client.list_objects_v2(Bucket=servers.s3_bucket, Prefix="kept/")
        for item in listing["Contents"]:
            assert client.get_object(Bucket=servers.s3_bucket, Key=item["Key"])["Body"].read()
        return [item["Key"].removeprefix("kept/") for item in listing["Contents"]]
    finally:
        client.close()


def test_killed_servers_come_back_with_their_data(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with embedded_servers(data_dir) as servers:
        put_data(servers, "before")
        before = StateFiles(data_dir).processes()
        for entry in before.values():
            os.kill(entry["pid"], signal.SIGKILL)

        def all_new() -> bool:
            stack = json.loads((data_dir / "stack.json").read_text())["processes"]
            return all(stack[name]["pid"] != before[name]["pid"] for name in before)

        wait_until(all_new)
        wait_until(lambda: not raises(lambda: rows(servers)), what="PostgreSQL")
        wait_until(lambda: not raises(lambda: objects(servers)), what="S3")
        put_data(servers, "later")
        assert rows(servers) == ["before", "later"]
        assert objects(servers) == ["before", "later"]
        assert records(servers) == ["before", "later"]
        after = StateFiles(data_dir).processes()
    assert_gone(after)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends what is left")
def test_a_killed_supervisor_takes_its_children_along_and_the_data_stays(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    files = StateFiles(data_dir)
    with embedded_servers(data_dir) as servers:
        put_data(servers, "before")
        processes = files.processes()
        supervisor = files.supervisor_pid()
        assert supervisor is not None
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: not any(psutil.pid_exists(entry["pid"]) for entry in processes.values()))
        wait_until(lambda: not files.is_running())
    with embedded_servers(data_dir) as servers:
        assert rows(servers) == ["before"]
        assert objects(servers) == ["before"]
        assert records(servers) == ["before"]


def test_a_second_start_in_the_same_place_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with embedded_servers(data_dir) as servers:
        second = start_and_end(data_dir)
        assert second.returncode == 1
        assert "running already" in second.stdout
        put_data(servers, "untouched")
        assert rows(servers) == ["untouched"]


def test_a_failed_start_says_what_failed_and_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "something").touch()
    done = start_and_end(data_dir)
    assert done.returncode == 1
    assert "is not a PostgreSQL cluster" in done.stdout
    assert len(done.stdout.strip().splitlines()) <= 2
    assert not (data_dir / "stack.json").exists()
    # What another server's start had begun is told to end with the stack, and needs a moment for it.
    wait_until(lambda: not processes_of(tmp_path), what="the end of what was begun")


def test_a_server_that_cannot_start_is_named_with_its_log(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with embedded_servers(data_dir):
        pass
    (data_dir / "postgres" / "global" / "pg_control").write_bytes(b"damaged")
    done = start_and_end(data_dir)
    assert done.returncode == 1
    assert done.stdout.startswith("postgres ended with status")
    assert str(data_dir / "logs" / "postgres.log") in done.stdout


LINGERING = """
import signal, sys
from pathlib import Path
from autos.local.state import Phase, StateFiles
files = StateFiles(Path(sys.argv[1]))
files.acquire()
signal.signal(signal.SIGTERM, lambda *_: files.release())
files.write(Phase.READY, {}, None)
print("ready", flush=True)
sys.stdin.read()
"""


def test_down_waits_for_the_process_and_not_only_for_the_lock(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", LINGERING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as supervisor:
        assert supervisor.stdin is not None and supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"ready\n"
        with pytest.raises(TimeoutError):
            files.stop_running(0.5)
        assert not files.is_running()
        supervisor.stdin.close()


def test_leftovers_are_ended_only_when_they_are_ours(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleeper) as ours, subprocess.Popen(sleeper) as stranger:
        try:
            (tmp_path / "supervisor.json").write_text(
                json.dumps(
                    {
                        "processes": {
                            "ours": {"pid": ours.pid, "command": f"{sys.executable} -c 'import time; time.sleep(600)'"},
                            "reused": {"pid": stranger.pid, "command": "postgres -D data"},
                        }
                    }
                )
            )
            wait_until(lambda: psutil.Process(ours.pid).cmdline() == sleeper)
            assert StateFiles(tmp_path).end_leftovers() == 1
            assert ours.poll() is not None
            assert stranger.poll() is None
        finally:
            for process in (ours, stranger):
                process.kill()
                process.wait()


def start_and_end(data_dir: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "autos.local.stack", "--servers-only", "--data-dir", str(data_dir)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=150, check=False)


def raises(step: Any) -> bool:
    try:
        step()
    except Exception:  # noqa: BLE001
        return True
    return False


def assert_gone(processes: dict[str, Any]) -> None:
    for name, entry in processes.items():
        assert not psutil.pid_exists(entry["pid"]), name
