"""Makes a Case of the answers about it, without keeping the event loop or the memory of the service.

Small answers are read at once, middling ones in a thread. Reading a large one holds Python's lock for seconds and
takes twenty times its size, so it is done in a process of its own (:mod:`sources.pdpj.parse.case_process`), which
has a limit
of memory and a low priority, gives back everything when it ends, and is ended when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from pathlib import Path
from typing import IO, Any, Final

import orjson

from shared.domain.case import Case, CaseDocument
from sources.errors import CaseUnreadable, SourceError
from sources.pdpj.parse.case_process import FRAME, PORTAL, parse_case, too_large
from sources.pdpj.settings import Api, PdpjSettings
from sources.pdpj.wire.received import MEMORY_BYTES, Received

INLINE_BYTES: Final = 64 * 1024
"""Up to this size a thread would take longer than the reading (3 ms)."""
_PROCESSES: Final = 2
"""Large answers read at once by one service."""
# No more time; no more memory, where the JSON library looks for it.
_TOO_MUCH: Final = frozenset({signal.SIGXCPU, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT})
_ROOT: Final = Path(__file__).parents[3]


class CaseParser:
    """Reads answers of one of the source's APIs, by the limits of the settings."""

    def __init__(self, settings: PdpjSettings) -> None:
        self.directory: Final = settings.data_dir / "tmp"
        self._api = PORTAL if settings.pdpj_api is Api.PORTAL else ""
        self._limits = settings.case_limits
        self._memory_bytes = settings.case_memory_bytes
        self._processes = asyncio.Semaphore(_PROCESSES)

    async def read(self, number: str, bodies: Sequence[Received | None]) -> Case:
        """The case. Raises ProcessNotFound, UnexpectedAnswer, CaseUnreadable and CaseTooLarge."""
        known = [body for body in bodies if body is not None]
        size = sum(body.size for body in known)
        if all(body.file is None for body in known) and size < MEMORY_BYTES:
            heads = [body.head if body is not None else None for body in bodies]
            if size <= INLINE_BYTES:
                return parse_case(self._api, heads, number, self._limits)
            return await asyncio.to_thread(parse_case, self._api, heads, number, self._limits)
        async with self._processes:
            files = await asyncio.to_thread(lambda: [body.as_file() if body is not None else None for body in bodies])
            return await self._read_apart(number, files)

    async def _read_apart(self, number: str, files: Sequence[IO[bytes] | None]) -> Case:
        numbers = [file.fileno() if file is not None else None for file in files]
        task = {
            "api": self._api,
            "number": number,
            "files": numbers,
            "limits": astuple(self._limits),
            "memory_bytes": self._memory_bytes,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sources.pdpj.parse.case_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=[number for number in numbers if number is not None],
            cwd=_ROOT,
            # Nothing of ours but the path to the code: no settings, no credentials.
            env={
                name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "TZ", "TZDIR") if name in os.environ
            },
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(ConnectionError):
                process.stdin.write(orjson.dumps(task) + b"\n")
                await process.stdin.drain()
            return await _case_from(process.stdout)
        except asyncio.IncompleteReadError:
            if -await process.wait() in _TOO_MUCH:
                raise too_large() from None
            # It was ended from outside, by a system that is short of memory most likely.
            raise CaseUnreadable("the answer about the case could not be read to its end") from None
        finally:
            # The pipe to its input is what it lives by; a kill does not wait for the reading to look at it.
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await asyncio.shield(process.wait())
            process.stdin.close()


async def _case_from(output: asyncio.StreamReader) -> Case:
    """What the process writes: the case without its documents, then these in parts, then None; or an error."""
    case: Case | None = None
    documents: list[CaseDocument] = []
    while (found := await _frame(output)) is not None:
        if isinstance(found, SourceError):
            raise found
        if isinstance(found, Case):
            case = found
        else:
            documents += found
    if case is None:
        raise CaseUnreadable
    return replace(case, documents=documents)


async def _frame(output: asyncio.StreamReader) -> Any:
    (length,) = FRAME.unpack(await output.readexactly(FRAME.size))
    return pickle.loads(await output.readexactly(length))  # noqa: S301 - written by our own code
