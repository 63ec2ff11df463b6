"""Alerts through a real SMTP server and a real POST, at most one an hour for an endpoint."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr
from sqlalchemy import text

from services.notifier.alerts import outbox_alerts
from services.notifier.alerts.messages import EndpointAlert
from services.notifier.alerts.outbox_alerts import OutboxAlerter
from shared.alerts.channel import AlertFailed
from shared.alerts.mail import Mail
from shared.alerts.sender import AlertSender, channels_of
from shared.db.engine import Database
from shared.outbox.inspection import OutboxState
from shared.settings import AlertSettings
from tests.integration.db.fresh import fresh_database
from tests.integration.notifier.test_dial import certificate
from tests.integration.notifier.world import Call, Running, World, always, receiving, status
from tests.support import Servers, wait_until_async


class Mailbox:
    """What the SMTP server got."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the name that aiosmtpd calls
        content = envelope.content
        assert isinstance(content, bytes)
        self.messages.append(message_from_bytes(content))
        return "250 OK"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    found = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(found, hostname="localhost", loop=loop), "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await server.wait_closed()


async def test_an_alert_is_sent_once_an_hour_by_mail_and_by_post(
    world: World, running: Running, mailbox: Mailbox
) -> None:
    client, _ = world.client()
    more = {
        "smtp_host": "127.0.0.1",
        "smtp_port": mailbox.port,
        "smtp_from": "autos@example.com",
        "smtp_to": "ops@example.com",
        "webhook_retry_delays": "0",
    }
    async with (
        receiving(always(500)) as receiver,
        receiving(always(200)) as operations,
        running(**more, alert_webhook_url=operations.url),
    ):
        first = await world.start(f"{receiver.url}?token=secret", client)
        await world.until(first, "exhausted")
        about = await wait_until_async(lambda: [m for m in mailbox.messages if client in str(m["Subject"])])
        await wait_until_async(lambda: world.endpoint(first).alert_reason is None)
        second = await world.start(f"{receiver.url}?token=secret", client)
        await world.until(second, "exhausted")
        await wait_until_async(lambda: world.endpoint(first).alert_reason == "exhausted")
        # Another endpoint has its own alert; when that is out, this one has had its chance.
        other = await world.start(f"{receiver.url}/other", client)
        await world.until(other, "exhausted")
        await wait_until_async(lambda: world.endpoint(other).alert_reason is None)
        about = [m for m in mailbox.messages if client in str(m["Subject"])]
    assert len(about) == 2
    text = about[0].get_payload(decode=True)
    assert isinstance(text, bytes)
    assert receiver.url.encode() in text
    assert b"secret" not in text
    assert about[0]["To"] == "ops@example.com"
    posted = [call.data for call in operations.calls if call.data.get("client_id") == client]
    assert [found["url"] for found in posted] == [receiver.url, f"{receiver.url}/other"]
    assert posted[0]["reason"] == "exhausted"


async def test_an_alert_that_does_not_get_out_is_kept(world: World, running: Running) -> None:
    client, _ = world.client()
    async with (
        receiving(always(410)) as receiver,
        receiving(always(500)) as operations,
        running(alert_webhook_url=operations.url),
    ):
        gone = await world.start(receiver.url, client)
        await world.until(gone, "gone")
        await wait_until_async(lambda: len([c for c in operations.calls if c.data.get("client_id") == client]) >= 3)
        await wait_until_async(lambda: world.endpoint(gone).alerted_at is None)
        assert world.endpoint(gone).alert_reason == "disabled"


async def test_an_alert_about_an_outbox_is_sent_once_by_whichever_replica(servers: Servers) -> None:
    """Rows set aside in another service's outbox; two senders, one of them with a way that does not work at first."""
    now = datetime(2026, 5, 1, tzinfo=UTC)
    with fresh_database(servers) as fresh:
        database = Database.connect(fresh.role_urls["notifier"], application_name="test-alerts", pool_size=2)
        owner = Database.connect(fresh.owner_url, application_name="test-alerts", pool_size=1)
        with owner.transaction() as connection:
            connection.execute(
                text(
                    "INSERT INTO catalog.outbox (id, aggregatetype, aggregateid, type, payload, headers, set_aside_at)"
                    " VALUES (gen_random_uuid(), 'process.requested', 'k', 't', 'who it is about', '{}', now())"
                )
            )
        codes = itertools.chain([500] * 3, itertools.repeat(200))

        async def answer(_: Call) -> bytes:
            return status(next(codes))

        async with receiving(answer) as operations:
            settings = AlertSettings(_env_file=None, alert_webhook_url=operations.url)
            senders = [AlertSender(list(channels_of(settings)), lambda way, outcome: None) for _ in range(2)]
            first, second = (
                OutboxAlerter(database, sender, interval=timedelta(hours=1), clock=lambda: now) for sender in senders
            )
            # It did not get out, so it is due at once; then nobody is told again for an hour.
            assert await first.send_due() == 0
            assert [await second.send_due(), await first.send_due(), await second.send_due()] == [1, 0, 0]
            now += timedelta(hours=1)
            # Who claims it and dies before it is told keeps it from the others for minutes, not for an hour.
            with database.transaction() as connection:
                assert outbox_alerts.claim(connection, OutboxState("catalog", 0.0, 1), now)
            assert await second.send_due() == 0
            now += timedelta(minutes=6)
            assert await second.send_due() == 1
            for sender in senders:
                await sender.aclose()
        told = operations.calls[-1].data
        assert (told["outbox"], told["set_aside"]) == ("catalog", 1)
        assert all(b"who it is about" not in call.body for call in operations.calls)
        database.close()
        owner.close()


async def test_mail_goes_over_tls_with_a_password_and_only_to_a_server_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots, context = certificate(tmp_path, "localhost")
    box, loop = Mailbox(), asyncio.get_running_loop()

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        good = isinstance(given, LoginPassword) and (given.login, given.password) == (b"autos", b"secret")
        return AuthResult(success=good, handled=False)

    server = await loop.create_server(
        lambda: SMTP(
            box,
            hostname="localhost",
            loop=loop,
            tls_context=context,
            require_starttls=True,
            authenticator=authenticate,
            auth_required=True,
        ),
        "localhost",
        0,
        family=socket.AF_INET,
    )

    def mail(password: str) -> Mail:
        return Mail(
            AlertSettings(
                _env_file=None,
                smtp_host="localhost",
                smtp_port=server.sockets[0].getsockname()[1],
                smtp_starttls=True,
                smtp_username="autos",
                smtp_password=SecretStr(password),
                smtp_to="ops@example.com",
            )
        )

    now = datetime.now(UTC)
    alert = EndpointAlert("e", "client-1", "https://example.com/hook", "exhausted", None, 4, 1, now)
    try:
        with pytest.raises(AlertFailed, match="SSLCertVerificationError"):
            await mail("secret").send(alert)
        # What OpenSSL reads its roots from (SSL_CTX_set_default_verify_paths).
        monkeypatch.setenv("SSL_CERT_FILE", str(roots))
        with pytest.raises(AlertFailed, match="SMTPAuthenticationError"):
            await mail("wrong").send(alert)
        assert box.messages == []
        await mail("secret").send(alert)
    finally:
        server.close()
        await server.wait_closed()
    (message,) = box.messages
    assert message["Subject"] == "Autos: webhook deliveries to client-1 were given up"
