"""What of pyreqwest's inside the adapter leans on: each test names what breaks when an upgrade takes it away."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import httpx
import pytest
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from pyreqwest.compatibility.httpx.transport import ResponseStream
from pyreqwest.exceptions import ConnectError, RequestError
from pyreqwest.http import HeaderMap
from pyreqwest.request import RequestBuilder

from sources.errors import MalformedAnswer, ShortBody, SourceError, SourceTimeout, SourceUnavailable
from sources.pdpj.wire.pyreqwest_adapter import CHECKED_VERSION, check_version, joined, readable, translated


def test_the_installed_version_is_the_checked_one() -> None:
    assert version("pyreqwest").startswith(f"{CHECKED_VERSION}.")


@pytest.mark.parametrize("installed", ["0.16.0", "1.15.1", "0.151.0"])
def test_another_release_stops_the_import_and_says_what_to_run(installed: str) -> None:
    with pytest.raises(ImportError, match="test_pyreqwest_adapter"):
        check_version(lambda _: installed)


@pytest.mark.parametrize(
    ("name", "parameters", "breaks"),
    [
        ("_map_body", ["builder", "request"], "an answer is handed out 64 KiB late"),
        ("_map_response", ["builder", "request"], "an answer with a header that is not ASCII fails"),
    ],
)
def test_the_private_method_is_there(name: str, parameters: list[str], breaks: str) -> None:
    method = getattr(HttpxTransport, name, None)
    assert method is not None, breaks
    assert list(inspect.signature(method).parameters)[1:] == parameters, breaks


async def test_the_private_client_is_there() -> None:
    async with HttpxTransport(ClientBuilder().build()) as transport:
        assert hasattr(transport, "_client"), "a path cannot be sent as it was put together"


def test_the_first_bytes_can_be_had_alone() -> None:
    assert hasattr(RequestBuilder, "streamed_read_buffer_limit"), "an answer is handed out 64 KiB late"


def test_a_response_stream_takes_the_response_and_what_closes_it() -> None:
    parameters = list(inspect.signature(ResponseStream).parameters)
    assert len(parameters) == 2, "the connection of an answer is not given back"


def test_headers_that_are_ascii_are_all_kept() -> None:
    assert sorted(readable(HeaderMap([("a", "1"), ("b", "2"), ("a", "3")]))) == [("a", "1"), ("a", "3"), ("b", "2")]


def test_values_of_one_name_are_one_value() -> None:
    assert joined([("a", "1"), ("b", "2"), ("a", "3")]) == {"a": "1, 3", "b": "2"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("operation timed out", SourceTimeout),
        ("Connection reset by peer (os error 104)", SourceUnavailable),
        ("client error (SendRequest); invalid content-length parsed", MalformedAnswer),
        ("client error (SendRequest); message head is too large", MalformedAnswer),
        ("client error (SendRequest); connection closed before message completed", SourceUnavailable),
        ("request or response body error", ShortBody),
        ("something new", SourceUnavailable),
    ],
)
def test_the_causes_of_an_error_tell_what_broke(text: str, kind: type[SourceError]) -> None:
    error = RequestError("failed", {"causes": [{"message": text}]})
    assert type(translated(error)) is kind


def test_our_own_time_out_and_a_refused_connection() -> None:
    assert type(translated(TimeoutError())) is SourceTimeout
    assert type(translated(ConnectError("refused", {"causes": None}))) is SourceUnavailable
    assert type(translated(httpx.ConnectError("refused"))) is SourceUnavailable
