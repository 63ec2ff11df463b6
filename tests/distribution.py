"""Which worker of pytest-xdist runs what: long files first, and all that uses the running product in one worker.

pytest-xdist begins with the files that have the most tests. Here these are unit tests of a second each, and the files
with one test of a minute came last, when the other workers had nothing left to do.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

_PRODUCT: Final = "tests/e2e/"
_ORDER: Final = (
    *(_PRODUCT, "tests/chaos/", "tests/field/", "tests/e2e/commands/"),
    *("tests/integration/status/", "tests/integration/kafka/", "tests/integration/notifier/", "tests/integration/"),
    *("tests/unit/deploy/", "tests/unit/tools/", "tests/unit/autos/", "tests/unit/"),
)
"""The longest first: what a worker runs alone to the end decides how long the others wait for it."""


def uses_the_product(nodeid: str) -> bool:
    """Whether a test is of those that share one product; a folder below starts stacks of its own."""
    return nodeid.startswith(_PRODUCT) and "/" not in nodeid.removeprefix(_PRODUCT).partition("::")[0]


def place(nodeid: str) -> int:
    """Where the order has a test: by the longest beginning that fits."""
    fitting = [beginning for beginning in _ORDER if nodeid.startswith(beginning)]
    return _ORDER.index(max(fitting, key=len)) if fitting else len(_ORDER)


class ProductInOneWorker(LoadFileScheduling):  # type: ignore[misc]
    """A file goes to one worker as a whole; so do, as if they were one file, the tests of the product."""

    def _split_scope(self, nodeid: str) -> str:
        # The name that pytest-xdist's own schedulers override; it has no public one.
        return _PRODUCT if uses_the_product(nodeid) else str(super()._split_scope(nodeid))
