"""What the load run counts as an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import httpx
import pytest

from tools.bench.load import Tally, _peaks, _wait_for_webhooks
from tools.bench.sink import Arrival

Answer = Callable[[httpx.Request], httpx.Response]


class Came:
    """A sink to which these targets came."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._targets = targets

    def arrivals(self, since: int = 0) -> list[Arrival]:
        return [Arrival(target, float(index), 10) for index, target in enumerate(self._targets)][since:]


def wait(targets: Sequence[str], numbers: Sequence[str]) -> tuple[list[Arrival], Counter[str]]:
    errors: Counter[str] = Counter()
    return _wait_for_webhooks(Came(targets), numbers, errors, timeout=0.0), errors  # type: ignore[arg-type]


def test_a_webhook_for_each_case_is_no_error() -> None:
    arrivals, errors = wait(["/load/b", "/other", "/load/a"], ["a", "b"])
    assert [arrival.target for arrival in arrivals] == ["/load/b", "/load/a"]
    assert not errors


def test_a_missing_webhook_is_an_error() -> None:
    arrivals, errors = wait(["/load/a"], ["a", "b", "c"])
    assert len(arrivals) == 1
    assert errors == {"webhook: missing": 2}


def test_a_webhook_that_comes_twice_is_an_error_and_its_first_time_counts() -> None:
    arrivals, errors = wait(["/load/a", "/load/a"], ["a"])
    assert [arrival.at for arrival in arrivals] == [0.0]
    assert errors == {"webhook: twice": 1}


async def asked(answer: Answer) -> Tally:
    tally = Tally()
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://api") as client:
        await tally.ask(client, "1000145-91.2023.8.26.0597", "http://127.0.0.1/hook")
    return tally


@pytest.mark.parametrize("status", [200, 202])
async def test_an_accepted_request_is_timed(status: int) -> None:
    tally = await asked(lambda request: httpx.Response(status))
    assert len(tally.seconds) == 1
    assert not tally.errors


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_any_other_answer_is_an_error(status: int) -> None:
    tally = await asked(lambda request: httpx.Response(status))
    assert tally.errors == {f"request: {status}": 1}


async def test_a_request_without_an_answer_is_an_error() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    tally = await asked(broken)
    assert tally.errors == {"request: ConnectError": 1}
    assert tally.seconds == []


def test_a_peak_is_of_each_process_by_itself() -> None:
    assert _peaks([{"api": 1.0, "status": 9.0}, {"api": 3.0}, {}]) == {"api": 3.0, "status": 9.0}
