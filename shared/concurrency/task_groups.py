"""Several pieces of work at once, none of which outlives the others' failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises its first failure itself, so that whoever knows that failure can handle it."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except* Exception as failures:  # noqa: BLE001 - raised again, one of them
        raise _first(failures) from None


async def run_together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run the coroutines at once and return their results in the order of ``work``.

    The first failure cancels the others and is raised when they have ended, unlike ``asyncio.gather``, which leaves
    them running. Nothing bounds how many run: the caller does.
    """
    async with task_group() as tasks:
        begun = [tasks.create_task(each) for each in work]
    return [task.result() for task in begun]


def _first(failures: BaseExceptionGroup[Any]) -> BaseException:
    found: BaseException = failures.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
