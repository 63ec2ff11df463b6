"""``autos repair`` on the running product: what is gone comes back, twice is harmless, a wrong number is one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autos.deep_check import storage_settings
from shared.storage.store import make_client, object_key
from tests.e2e.journey import ask, autos, check_files
from tests.product import Product


def test_what_is_gone_or_wrong_is_fetched_again(product: Product, process_number: Callable[[], str]) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=4, size=1000)
    ask(product, number)
    view = product.wait_for_end(number)
    gone, cut, other, _ = (document["id"] for document in view["documents"])
    settings = storage_settings(product.stack())
    store: Any = make_client(settings)
    store.delete_object(Bucket=settings.s3_bucket, Key=object_key(number, gone))
    store.put_object(Bucket=settings.s3_bucket, Key=object_key(number, cut), Body=b"half")
    store.put_object(Bucket=settings.s3_bucket, Key=object_key(number, other), Body=b"x" * 1000)

    done = autos(product, "repair", "--process", number, "--hashes", "--wait", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in ("object.missing", "object.size", "object.hash"):
        assert f"ask {rule}: " in done.stdout
    assert "found 3, asked for 3 again, 0 cannot be mended by fetching" in done.stdout
    assert check_files(product, number) == 4
    again = autos(product, "repair", "--process", number, "--hashes")
    assert (again.returncode, again.stdout.strip()) == (0, "ok  nothing to mend")
    assert product.status(number)["completed_documents"] == 4


def test_a_wrong_number_is_one_line(product: Product) -> None:
    for wrong in ("1234567-89.2023.8.02.0001", "x"):
        answer = autos(product, "repair", "--process", wrong)
        assert (answer.returncode, len(answer.stderr.strip().splitlines())) == (2, 1)
