"""The demo receiver over HTTP."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from autos.local.ports_and_secrets import free_port
from autos.local.server import Command, start
from tests.support import wait_until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps({"type": "process.completed", "data": {}}).encode()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    log = tmp_path_factory.mktemp("receiver") / "receiver.log"
    argv = (sys.executable, "-m", "autos.local.receiver", "--port", str(port))
    process = start(Command(argv, log, env={"AUTOS_RECEIVER_SECRET": SECRET}))
    try:
        wait_until(lambda: is_up(port), what="the receiver")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False


def signed(secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    moment = at or datetime.now(UTC)
    return {
        "webhook-id": "0b0c",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("0b0c", moment, BODY.decode()),
        "webhook-attempt": "2",
    }


def received(address: str, path: str) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = httpx.get(f"{address}/_received", params={"path": path}).json()
    return listed


def test_a_signed_delivery_is_verified_and_listed(address: str) -> None:
    assert httpx.post(f"{address}/good/x", content=BODY, headers=signed()).status_code == 204
    (delivery,) = received(address, "/good")
    assert delivery["verified"] is True
    assert (delivery["webhook_id"], delivery["attempt"], delivery["answered"]) == ("0b0c", 2, 204)
    assert delivery["body"] == json.loads(BODY)
    assert str(delivery["received_at"]).endswith("Z")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(secret="whsec_" + "A" * 32),
        signed(at=datetime.now(UTC) - timedelta(hours=1)),
        {**signed(), "webhook-signature": "v1,nonsense"},
        {**signed(), "webhook-id": "other"},
    ],
    ids=["unsigned", "another secret", "too old", "not base64", "another id"],
)
def test_what_is_not_genuine_is_kept_but_not_verified(address: str, headers: dict[str, str]) -> None:
    path = f"/bad/{os.urandom(4).hex()}"
    httpx.post(address + path, content=BODY, headers=headers)
    (delivery,) = received(address, path)
    assert delivery["verified"] is False


def test_answers_are_given_as_often_as_asked(address: str) -> None:
    control = {"status": 503, "times": 2, "path": "/flaky", "headers": {"retry-after": "1"}}
    assert httpx.post(f"{address}/_control", json=control).status_code == 204
    answers = [httpx.post(f"{address}/flaky", content=BODY) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 204]
    assert answers[0].headers["retry-after"] == "1"
    assert httpx.post(f"{address}/other", content=BODY).status_code == 204


@pytest.mark.parametrize("control", [{"status": 99}, {"status": "x"}, {"what": 1}, {"delay": -1}, {"times": 0}, []])
def test_a_wrong_answer_is_refused(address: str, control: object) -> None:
    assert httpx.post(f"{address}/_control", json=control).status_code == 422


def test_the_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    port = free_port()
    argv = (
        sys.executable,
        "-m",
        "autos.local.receiver",
        "--port",
        str(port),
        "--secret-file",
        str(tmp_path / "secret"),
    )
    process = start(Command(argv, tmp_path / "log"))
    try:
        wait_until(lambda: is_up(port), what="the receiver")
        httpx.post(f"http://127.0.0.1:{port}/x", content=BODY, headers=signed())
        assert received(f"http://127.0.0.1:{port}", "/x")[0]["verified"] is True
    finally:
        process.terminate()
        assert process.wait(60) == 0
