"""Who read what on the running product: by the API, by a webhook, and what operators get of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from tests.e2e.journey import ask, autos
from tests.product import Product
from tests.support import wait_until


def test_a_webhook_is_a_reading_and_the_log_comes_as_lines_and_as_a_table(
    product: Product, process_number: Callable[[], str]
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=3, size=1_000)
    ask(product, number, webhook_url=product.receiver.url(f"/access/{number}"))
    (call,) = product.wait_for_webhook(f"/access/{number}")
    lines = wait_until(
        lambda: [
            entry
            for entry in map(json.loads, autos(product, "access", "export", "--numero", number).stdout.splitlines())
            # The client may have endpoints of other tests, which hear of it too.
            if (entry["route"], entry["request_id"]) == ("webhook process.completed", call.webhook_id)
        ],
    )
    (told,) = lines
    assert (told["client_id"], told["documents"], told["links"], told["status"]) == ("dev", 3, 3, call.answered)
    assert (told["address"], told["key_id"]) == ("127.0.0.1", None)
    table = autos(product, "access", "export", "--numero", number, "--client", "dev", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    first = rows[-1]
    assert (first["route"], first["process_number"], first["address"]) == (
        *("GET /processes/{numero}", number, "127.0.0.1"),
    )
    assert len(first["trace_id"]) == 32 and first["sealed"] == "False"
    assert autos(product, "access", "export", "--format", "xml").returncode == 2
