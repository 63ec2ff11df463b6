"""The process that reads one large answer about a case: ``python -m sources.pdpj.parse.case_process``.

Its input is one line of JSON (see :class:`sources.pdpj.parse.case_parser.CaseParser`) and then stays open for as
long as somebody waits; the answers are in files that it inherits; its output is frames of pickles.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import signal
import struct
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO, Final

import orjson

from shared.domain.case import Case
from sources.errors import CaseTooLarge, SourceError
from sources.pdpj.parse.bounds import CaseLimits
from sources.pdpj.parse.case import parse_data_lake_case, parse_portal_case

PORTAL: Final = "portal"
CPU_SECONDS: Final = 30
FRAME: Final = struct.Struct(">I")
"""Before each frame: its length in bytes."""
_NICE: Final = 10
_DOCUMENTS: Final = 500
"""In one frame: the service unpacks a frame on its event loop."""


def main() -> None:
    """Read the answers, write the case or the error, and end."""
    # One answer and then the end: looking for garbage among millions of objects would take longer than the reading.
    gc.disable()
    task = orjson.loads(sys.stdin.buffer.readline())
    _limit(int(task["memory_bytes"]))
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    output = sys.stdout.buffer
    try:
        bodies = [_content(number) if number is not None else None for number in task["files"]]
        case = parse_case(task["api"], bodies, task["number"], CaseLimits(*task["limits"]))
        del bodies
    except SourceError as error:
        _write(output, error)
    # SystemError: what the JSON library makes of memory that it does not get.
    except (MemoryError, SystemError):
        _write(output, too_large())
    else:
        _write_case(output, case)
    output.flush()
    os._exit(0)


def parse_case(api: str, bodies: Sequence[bytes | None], number: str, limits: CaseLimits) -> Case:
    """The case in the bodies of the answers: of the portal one, of the data lake the case and the list of documents."""
    first = bodies[0] or b""
    if api == PORTAL:
        return parse_portal_case(first, number, limits)
    return parse_data_lake_case(first, bodies[1], number, limits)


def too_large() -> CaseTooLarge:
    """The error of an answer that takes more memory or time than one case may."""
    return CaseTooLarge("reading what the source answers about the case takes more memory or time than allowed")


def _content(number: int) -> bytes:
    with os.fdopen(number, "rb") as file:
        return file.read()


def _write_case(output: BinaryIO, case: Case) -> None:
    _write(output, replace(case, documents=[]))
    for start in range(0, len(case.documents), _DOCUMENTS):
        _write(output, case.documents[start : start + _DOCUMENTS])
    _write(output, None)


def _write(output: BinaryIO, value: Any) -> None:
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    output.write(FRAME.pack(len(content)) + content)


def _limit(memory_bytes: int) -> None:
    """Be the first to go when memory or time is short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")


def _end_with_the_service() -> None:
    """The input is closed when the service has gone, whatever became of it."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
