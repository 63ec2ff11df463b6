"""A court source for tests that answers from files, byte for byte, and takes webhooks as an odd receiver does.

A folder below ``tests/field/cases`` holds the answers to every question about the case numbers in its ``number.txt``:

* ``case`` (portal), ``lake``, ``documentos``, ``search``, ``ultima-atualizacao`` (data lake), ``docs/{id}`` and
  ``docs/{id}.texto`` (contents; ``docs/any`` for an id without a file of its own);
* the ending ``.http`` is a whole answer as it goes over the wire, an empty one hangs up without a word; ``.json`` is
  the body of a 200; ``NAME.1.http``, ``NAME.2.http`` answer the first question, the second and every one after it;
* what is in ``later/`` comes first once :meth:`Player.switch` was called for the folder.

In a body ``@number@`` stands for the number asked for and ``@id1@`` for a UUID made from it, so that one folder can be
many cases.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from shared.domain import cnj

_ROOTS: Final = {"portal": "/api/v2", "lake": "/processo-api/api/v1"}
_CONTENT: Final = re.compile(r"/processos/([\d.-]+)/documentos/([^/]+)/(binario|texto)")
_ABOUT_CASE: Final = re.compile(r"/processos/([\d.-]+)(?:/(documentos|ultima-atualizacao))?")
_RECEIVER: Final = "/_webhooks/"


def _reply(status: str, body: bytes, kind: str = "application/json") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close", "", "")
    return "\r\n".join(lines).encode() + body


_NO_SUCH_ROUTE: Final = _reply("404 Not Found", b"404 page not found\n", "text/plain; charset=utf-8")
_NO_DOCUMENT: Final = _reply("404 Not Found", b'{"code":404,"message":"documento inexistente"}')
_NO_RECORDS: Final = _reply("404 Not Found", '{"code":404,"message":"Não foram encontrados registros"}'.encode())
_EMPTY: Final = _reply("200 OK", b"[]")


def digits_of(number: str) -> str:
    """The digits of a case number, with or without its mask."""
    return re.sub(r"\D", "", number)


class Player:
    """The prepared answers of every folder, and what was asked and received so far."""

    def __init__(self, cases: Path) -> None:
        self._folders: dict[str, Path] = {}
        self._switched: set[Path] = set()
        self.asked: dict[str, Counter[str]] = {}
        """By folder: how often each kind of answer was asked for."""
        self.webhooks: dict[str, list[bytes]] = {}
        """By path below ``/_webhooks/``: the bodies that were taken."""
        for listed in sorted(cases.glob("*/number.txt")):
            for number in listed.read_text().split():
                self._folders[digits_of(number)] = listed.parent

    def switch(self, folder: str) -> None:
        """From now on the folder's ``later/`` comes first."""
        self._switched |= {place for place in self._folders.values() if place.name == folder}

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        """The bytes that answer a request; none closes the connection without a word."""
        url = urlsplit(target)
        path = unquote(url.path)
        if path.startswith(_RECEIVER):
            return self._receive(path.removeprefix(_RECEIVER), body)
        for api, root in _ROOTS.items():
            if path.startswith(f"{root}/"):
                found = self._source(api, path.removeprefix(root), parse_qs(url.query))
                return found.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" and found else found
        return _NO_SUCH_ROUTE

    def _receive(self, path: str, body: bytes) -> bytes:
        _, how, limit = f"{path}//".split("/")[:3]
        if how == "limit" and len(body) > int(limit):
            return _reply("413 Payload Too Large", b"", "text/plain")
        self.webhooks.setdefault(path, []).append(body)
        return _reply("200 OK", b"ok", "text/plain")

    def _source(self, api: str, path: str, query: dict[str, list[str]]) -> bytes:
        if path.rstrip("/") == "/processos":
            number = query.get("numeroProcesso", [""])[0]
            found = self._prepared(number, "search")
            return found if found is not None else self._search(number)
        if content := _CONTENT.fullmatch(path):
            ending = ".texto" if content[3] == "texto" else ""
            found = self._prepared(content[1], f"docs/{content[2]}{ending}", f"docs/any{ending}")
            return found if found is not None else _NO_DOCUMENT
        about = _ABOUT_CASE.fullmatch(path)
        if about is None or (api == "portal" and about[2]):
            return _NO_SUCH_ROUTE
        found = self._prepared(about[1], about[2] or ("case" if api == "portal" else "lake"))
        if found is not None:
            return found
        return _NO_SUCH_ROUTE if about[2] == "ultima-atualizacao" else _EMPTY

    def _search(self, number: str) -> bytes:
        if digits_of(number) not in self._folders:
            return _NO_RECORDS
        found = {"total": 1, "numberOfElements": 1, "content": [{"numeroProcesso": number}]}
        return _reply("200 OK", json.dumps(found).encode())

    def _prepared(self, number: str, *names: str) -> bytes | None:
        folder = self._folders.get(digits_of(number))
        if folder is None:
            return None
        counts = self.asked.setdefault(folder.name, Counter())
        counts[names[0]] += 1
        places = [folder / "later", folder] if folder in self._switched else [folder]
        for place in places:
            for name in names:
                if (found := _file(place, name, counts[names[0]])) is not None:
                    return _bytes_of(found, number)
        return None


def _file(place: Path, name: str, turn: int) -> Path | None:
    numbered = [place / f"{name}.{number}.http" for number in range(turn, 0, -1)]
    found = (path for path in (*numbered, place / f"{name}.http", place / f"{name}.json") if path.is_file())
    return next(found, None)


def _bytes_of(path: Path, number: str) -> bytes:
    if path.suffix == ".http":
        return path.read_bytes()
    masked = cnj.parse(number)

    def made(match: re.Match[bytes]) -> bytes:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{masked}/{match[1].decode()}")).encode()

    return _reply("200 OK", re.sub(rb"@id(\d+)@", made, path.read_bytes().replace(b"@number@", masked.encode())))


@contextmanager
def playing(player: Player) -> Iterator[str]:
    """Serve on a free port of the loopback address while the block runs; the URL. One request a connection."""
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    port = 0
    server: asyncio.Server | None = None

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            length = re.search(r"(?im)^content-length:\s*(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            writer.write(player.answer(method, target, body))
            await writer.drain()
            writer.write_eof()  # all of it is out before the connection goes
            await asyncio.wait_for(reader.read(1), 5)
        except (OSError, ValueError, EOFError, TimeoutError):
            pass
        finally:
            writer.close()

    async def serve() -> None:
        nonlocal port, server
        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ready.set()

    thread = threading.Thread(target=lambda: (loop.run_until_complete(serve()), loop.run_forever()), daemon=True)
    thread.start()
    ready.wait(60)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        if server is not None:
            server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
