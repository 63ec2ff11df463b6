"""The field cases of the data lake: each ends as its expect.json says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.field.stage import Stage, names_of, set_up

_NAMES = names_of("datalake")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Every case has been played."""
    with set_up(tmp_path_factory.mktemp("field") / "data", "datalake") as stage:
        stage.play(_NAMES)
        yield stage


@pytest.mark.parametrize("name", _NAMES)
def test_a_case_ends_as_it_should(stage: Stage, name: str) -> None:
    assert not stage.findings[name], "\n".join(stage.findings[name])
