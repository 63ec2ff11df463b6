"""A document that was given up can be read from the dead topic and asked for again."""

from __future__ import annotations

import asyncio
import uuid

import orjson
import pytest
from typer.testing import CliRunner

from autos.dead_letters import app
from autos.local.pdpj.control import Failure, FailureKind
from shared.dead_letters.letters import DeadLetter, NotReplayable, replayed
from shared.dead_letters.reading import read_dead
from shared.errors import InfrastructureAway
from shared.events import topics
from shared.records import OutgoingRecord
from tests.integration.downloader.workers import Heard, Workers
from tests.support import Servers, wait_until_async


async def dead_record(bench: Workers) -> Heard:
    """The first record that this test sees in document.dead."""
    found = await wait_until_async(lambda: [e for e in bench.listen() if e.topic == topics.DOCUMENT_DEAD])
    return found[0]


async def letter_of(bench: Workers, heard: Heard) -> DeadLetter:
    """The dead letter of a record."""
    letters = await asyncio.to_thread(lambda: list(read_dead(bench.servers.bootstrap_servers, topics.DOCUMENT_DEAD)))
    (letter,) = [each for each in letters if each.record.headers == heard.headers]
    return letter


async def test_a_dead_document_is_read_and_a_replay_brings_it(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=2, failures=[Failure(kind=FailureKind.NOT_FOUND_404, document=0, times=1)])
    failing = bench.pdpj.case(number).documents[0].document_id
    async with bench.worker():
        job = await bench.ask(number)
        assert (await bench.ended(job))[failing] == "document_not_found"
        letter = await letter_of(bench, await dead_record(bench))
        assert letter.event is not None
        assert (letter.event.process_number, letter.error_code) == (number, "document_not_found")
        await bench.produce(replayed(letter))
        await wait_until_async(
            lambda: failing in {event["document_id"] for event in bench.told(job, "document.available")}
        )
    bench.check_stored(number, job)


async def test_a_topic_that_the_broker_does_not_show_is_not_taken_for_empty(servers: Servers) -> None:
    with pytest.raises(InfrastructureAway, match=r"nowhere\.dead: UNKNOWN_TOPIC_OR_PART"):
        await asyncio.to_thread(list, read_dead(servers.bootstrap_servers, "nowhere.dead"))


async def test_a_poison_record_is_read_with_its_reason_and_not_replayed(bench: Workers) -> None:
    poison = OutgoingRecord(topics.DOCUMENT_REQUESTED, b"k", b"[", {"ce_type": b"autos.nonsense"})
    async with bench.worker():
        await bench.produce(poison)
        letter = await letter_of(bench, await dead_record(bench))
    assert (letter.error_code, letter.record.value) == ("unknown_type", b"[")
    with pytest.raises(NotReplayable):
        replayed(letter)


async def test_the_letters_of_every_dead_topic_and_of_the_projection_are_listed_at_once(
    bench: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = bench.fresh_number()
    monkeypatch.setenv("AUTOS_KAFKA_BOOTSTRAP_SERVERS", bench.servers.bootstrap_servers)
    monkeypatch.setenv("AUTOS_DATABASE_URL", bench.servers.owner_url)
    value = orjson.dumps({"process_number": number, "document_id": str(uuid.uuid4())})
    names = (topics.DOCUMENT_DEAD, topics.PROCESS_DEAD, topics.WEBHOOK_DEAD)
    await bench.produce(*(OutgoingRecord(name, b"k", value, {"autos_error": b"wrong_schema"}) for name in names))
    await bench.sql(
        'INSERT INTO progress.dead_letters (topic, partition, "offset", reason, value, headers)'
        " VALUES ('document.events', 0, :o, 'unstorable', :v, '{}')",
        o=uuid.uuid4().int >> 66,
        v=value,
    )
    listed = await asyncio.to_thread(CliRunner().invoke, app, ["list", "--process", number])
    assert listed.exit_code == 0, listed.output
    found = {line.partition("/")[0] for line in listed.output.splitlines() if number in line}
    assert found == {*names, "progress.dead_letters"}
    (row,) = [line.split()[0] for line in listed.output.splitlines() if line.startswith("progress.dead_letters/")]
    shown = await asyncio.to_thread(CliRunner().invoke, app, ["show", row])
    assert "reason: unstorable: from document.events/0/" in shown.output
    alone = await asyncio.to_thread(CliRunner().invoke, app, ["list", "--topic", "process.dead", "--process", number])
    assert alone.output.count(number) == 1
    assert (await asyncio.to_thread(CliRunner().invoke, app, ["replay", row])).exit_code == 1
