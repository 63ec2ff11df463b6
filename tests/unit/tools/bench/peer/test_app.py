"""The pure parts of the application that the product is compared with."""

from __future__ import annotations

import time
from typing import Any

import pytest
from standardwebhooks import Webhook

from tools.bench.peer.app.case import chunks, document_paths
from tools.bench.peer.app.signing import signed_headers
from tools.bench.peer.servers import SECRET


def test_its_signature_is_the_one_of_the_standard() -> None:
    body = b'{"type":"case.completed"}'
    headers = signed_headers(SECRET, "msg-1", int(time.time()), body)
    assert Webhook(SECRET).verify(body, headers) == {"type": "case.completed"}


def test_documents_of_every_docket_and_court_are_listed_once() -> None:
    docket = {"documentos": [{"hrefBinario": "/a"}, {"nome": "a text and no file"}, {"hrefBinario": "/b"}]}
    answer: list[dict[str, Any]] = [
        {"tramitacaoAtual": docket, "tramitacoes": [{"documentos": [{"hrefBinario": "/c"}, {"hrefBinario": "/a"}]}]},
        {"tramitacaoAtual": {"documentos": None}, "tramitacoes": None},
    ]
    assert document_paths(answer) == ["/a", "/b", "/c"]


def test_chunks_keep_the_positions() -> None:
    assert chunks(["a", "b", "c"], 2) == [[(0, "a"), (1, "b")], [(2, "c")]]
    with pytest.raises(ValueError, match="at least one"):
        chunks(["a"], 0)
