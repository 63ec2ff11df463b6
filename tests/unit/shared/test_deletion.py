"""What names a case, and counts that are added up over batches."""

from __future__ import annotations

import pytest

from services.api.deletions.order_rows import digest
from shared.db.deletions import spellings
from shared.deletion import added
from shared.settings import StorageSettings
from shared.storage.removal import ObjectRemoval

NUMBER = "1000145-91.2023.8.26.0597"


def test_a_case_is_named_in_two_ways() -> None:
    assert spellings(NUMBER) == (NUMBER, "10001459120238260597")


def test_counts_of_batches_are_added() -> None:
    assert added({"documents": 2, "jobs": 1}, {"documents": 3}) == {"documents": 5, "jobs": 1}
    assert added({}, {"objects": 0}) == {"objects": 0}


def test_a_digest_needs_the_nonce() -> None:
    assert digest("a", NUMBER) != digest("b", NUMBER)
    assert digest("a", NUMBER) == digest("a", NUMBER)


@pytest.mark.parametrize("prefix", ["", "processes/", "elsewhere/1"])
def test_nothing_but_a_case_or_a_document_is_removed(prefix: str) -> None:
    with pytest.raises(ValueError, match="never everything"):
        ObjectRemoval(StorageSettings.model_validate({"s3_bucket": "autos"})).below(prefix)
