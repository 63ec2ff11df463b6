"""A steady load on a cluster: cases asked for through every replica of the API, and what became of them."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from shared.domain import cnj
from tests.chaos.plan import Case
from tests.chaos.verdict import check_documents, check_webhooks, until_answered
from tests.containers.deployment import INSIDE_RECEIVER, Deployment
from tests.product import Product
from tests.support import wait_until

_LATENCY: Final = (0.4, 1.2)
"""Seconds that the source takes for a document. With 64 requests at once that is about 100 documents a second."""
_CASES: Final = 24
_PER_SECOND: Final = 100
_PATIENCE_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.25


@dataclass(frozen=True)
class Load:
    """Cases that were asked for, and where their webhooks go."""

    product: Product
    cases: Sequence[Case]
    path: str

    def arrived(self) -> int:
        """The number of cases whose end has reached the receiver."""
        return len({call.path for call in self.product.receiver.received(f"{self.path}/")})

    def wait_for_end(self, timeout: float) -> None:
        """Wait until a webhook came for every case. Raises AssertionError."""
        wait_until(lambda: self.arrived() == len(self.cases), timeout, f"{len(self.cases)} webhooks")

    def check(self) -> str:
        """Nothing is lost: every document of every case, and one delivery each. A line about what came twice."""
        until_answered(self.product)
        for case in self.cases:
            view = self.product.status(case.number)
            assert (view["status"], view["completed_documents"]) == ("completed", case.documents), case.number
        check_documents(self.product, self.cases[0])
        hooks = check_webhooks(self.product, self.cases, self.path)
        documents = sum(case.documents for case in self.cases)
        return (
            f"{documents} documents, {self.document_requests() - documents} asked for again; "
            f"{hooks.deliveries} webhooks, {hooks.duplicates} came twice"
        )

    def document_requests(self) -> int:
        """How often the source was asked for a document of these cases."""
        by_case = self.product.simulator.metrics().by_case
        return sum(
            sum(by_case[case.number].document_requests.values()) for case in self.cases if case.number in by_case
        )


def begin(deployment: Deployment, seed: int, seconds: float) -> Load:
    """Ask for as many cases as keep the source busy for about so long."""
    draw = random.Random(seed)
    product, first = deployment.product, draw.randrange(1_000_000, 8_000_000)
    documents = int(_PER_SECOND * seconds / _CASES)
    cases = [
        Case(cnj.make(first + index, 2024, 8, 26, draw.randrange(1, 10_000)), documents, 0.0, ())
        for index in range(_CASES)
    ]
    load = Load(product, cases, f"/cluster/{seed}")
    for case in cases:
        product.simulator.put_case(case.number, documents=documents, size=(500, 4_000), latency=_LATENCY)
    apis = itertools.cycle(product.api_urls)
    with httpx.Client(headers={"authorization": f"Bearer {product.api_key}"}, timeout=30, trust_env=False) as client:
        for case in cases:
            _ask(client, apis, case.number, f"{INSIDE_RECEIVER}{load.path}/{case.number}")
    return load


def _ask(client: httpx.Client, apis: itertools.cycle[str], number: str, webhook_url: str) -> None:
    """Ask until it is taken, each time another replica. Raises AssertionError."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        problem = ""
        try:
            answer = client.get(f"{next(apis)}/processes/{number}", params={"webhook_url": webhook_url})
            if answer.is_success:
                return
            problem = f"{answer.status_code} {answer.text[:200]}"
            assert answer.status_code == 429 or answer.status_code >= 500, problem
        except httpx.TransportError as error:
            problem = type(error).__name__
        assert time.monotonic() < deadline, f"{number} is not taken: {problem}"
        time.sleep(_PAUSE_SECONDS)
