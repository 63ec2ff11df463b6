"""Large answers about a case: bounded as they come, read apart from the event loop, and nothing left behind."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from sources.errors import CaseTooLarge, CaseUnreadable, ProcessNotFound, SourceError
from sources.pdpj.parse.case_parser import INLINE_BYTES, CaseParser
from sources.pdpj.settings import Api, PdpjSettings
from sources.pdpj.wire.received import MEMORY_BYTES, receive
from tests.support import wait_until_async

NUMBER = "1000145-91.2023.8.26.0597"


def reader(directory: Path, api: Api = Api.PORTAL, **more: object) -> CaseParser:
    fields: dict[str, object] = {
        "pdpj_base_url": "http://127.0.0.1:9",
        "pdpj_access_token": "unused",
        "pdpj_api": api,
        "data_dir": directory,
        **more,
    }
    return CaseParser(PdpjSettings(_env_file=None, **fields))  # type: ignore[arg-type]


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]
        await asyncio.sleep(0)


def about(docket: bytes) -> bytes:
    return b'[{"numeroProcesso":"%b","tramitacaoAtual":{"grau":"G1",%b}}]' % (NUMBER.encode(), docket)


def movements(count: int) -> bytes:
    return about(b'"movimentos":[' + b",".join([b'{"codigo":1}'] * count) + b"]")


def documents(count: int) -> bytes:
    ids = [str(uuid.uuid4()).encode() for _ in range(count)]
    return b"[" + b",".join(b'{"id":"%b","nome":"%b"}' % (one, b"x" * 500) for one in ids) + b"]"


@pytest.mark.parametrize("size", [0, 1, MEMORY_BYTES - 1, MEMORY_BYTES, MEMORY_BYTES + 1, 3 * MEMORY_BYTES])
async def test_an_answer_of_any_size_is_kept_whole(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with closing(await receive(pieces(content), size, tmp_path)) as body:
        assert body.size == size
        assert (body.file is not None) == (size >= MEMORY_BYTES)
        assert content.startswith(body.head)
        assert body.as_file().read() == content


@pytest.mark.parametrize("limit", [1_000, MEMORY_BYTES, 2 * MEMORY_BYTES])
async def test_an_answer_beyond_the_limit_is_refused_before_the_rest_is_read(tmp_path: Path, limit: int) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 1_000

    with pytest.raises(CaseTooLarge) as caught:
        await receive(endless(), limit, tmp_path)
    assert asked == limit // 1_000 + 1
    assert caught.value.code == "case_too_large" and str(limit) in caught.value.message


@pytest.mark.parametrize("count", [10, INLINE_BYTES // 13 + 100, 100_000])
async def test_small_middling_and_large_answers_are_read_alike(tmp_path: Path, count: int) -> None:
    source = reader(tmp_path)
    with closing(await receive(pieces(movements(count)), 2**30, tmp_path)) as body:
        case = await source.read(NUMBER, [body])
    assert case.movements_total == count
    assert len(case.movements) == min(count, 20_000)
    assert case.left_out == ({"movements": count - 20_000} if count > 20_000 else {})


async def test_a_large_answer_leaves_the_event_loop_free(tmp_path: Path) -> None:
    """Half a million movements: read here they would stop the loop for a second or more."""
    source = reader(tmp_path)
    worst = 0.0
    """Seconds of this thread's own in one turn of the loop: a busy machine does not add to them."""

    async def watch() -> None:
        nonlocal worst
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            worst = max(worst, time.thread_time() - before)

    with closing(await receive(pieces(movements(500_000)), 2**30, tmp_path)) as body:
        watching = asyncio.create_task(watch())
        case = await source.read(NUMBER, [body])
        watching.cancel()
    assert case.movements_total == 500_000
    assert worst < 0.5


async def test_both_answers_of_the_data_lake_travel(tmp_path: Path) -> None:
    source = reader(tmp_path, Api.DATA_LAKE, case_max_documents=2_500)
    with (
        closing(await receive(pieces(movements(2)), 2**30, tmp_path)) as body,
        closing(await receive(pieces(documents(3_000)), 2**30, tmp_path)) as listed,
    ):
        case = await source.read(NUMBER, [body, listed])
        none = await source.read(NUMBER, [body, None])
    assert len({document.document_id for document in case.documents}) == 2_500
    assert case.left_out == {"documents": 500}
    assert none.documents == [] and none.unlisted


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'[{"numeroProcesso":"' + b"x" * MEMORY_BYTES, CaseUnreadable),
        (b"[" * MEMORY_BYTES, CaseUnreadable),
        (b" " * MEMORY_BYTES + b"[]", ProcessNotFound),
    ],
)
async def test_what_is_wrong_with_a_large_answer_is_told_as_of_a_small_one(
    tmp_path: Path, content: bytes, error: type[SourceError]
) -> None:
    with closing(await receive(pieces(content), 2**30, tmp_path)) as body, pytest.raises(error):
        await reader(tmp_path).read(NUMBER, [body])


async def test_an_answer_that_takes_too_much_memory_is_too_large(tmp_path: Path) -> None:
    hostile = about(b'"x":[' + b",".join([b"{}"] * 4_000_000) + b"]")
    source = reader(tmp_path, case_memory_bytes=256 * 1024**2)
    with closing(await receive(pieces(hostile), 2**30, tmp_path)) as body, pytest.raises(CaseTooLarge) as caught:
        await source.read(NUMBER, [body])
    assert caught.value.code == "case_too_large"


async def test_the_reading_ends_with_who_waits_for_it(tmp_path: Path) -> None:
    source = reader(tmp_path)
    here = psutil.Process()
    before = {child.pid for child in here.children()}
    with closing(await receive(pieces(movements(500_000)), 2**30, tmp_path)) as body:
        waiting = asyncio.create_task(source.read(NUMBER, [body]))
        started = await wait_until_async(lambda: {child.pid for child in here.children()} - before)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert not any(psutil.pid_exists(pid) for pid in started)
