"""A fresh database for each module of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[FreshDatabase]:
    with fresh_database(servers) as database:
        yield database
