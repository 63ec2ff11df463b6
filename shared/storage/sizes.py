"""What the object store really has of a case: asked where there is doubt, never concluded from a failure."""

from __future__ import annotations

import asyncio
from typing import Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from shared.domain.cnj import parse

_SECONDS_OF_ONE: Final = 10.0
_SECONDS_OF_ALL: Final = 60.0


class ObjectStoreAway(Exception):
    """Raised when the store gave no answer, or one that says nothing about the object: nothing may be concluded."""


class ObjectSizes:
    """Sizes in bytes, by the keys that are recorded. Every method raises ObjectStoreAway."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def one(self, key: str) -> int | None:
        """The size of an object; None: the store says that it has none."""
        try:
            async with asyncio.timeout(_SECONDS_OF_ONE):
                return int((await obstore.head_async(self._store, key))["size"])
        except FileNotFoundError:
            # The answer to HEAD has no body, so a bucket that is not there looks the same.
            return await self._confirmed(key)
        except (BaseError, OSError) as error:
            raise ObjectStoreAway(type(error).__name__) from error

    async def _confirmed(self, key: str) -> int | None:
        """The size of the object as the bucket lists it. A bucket that is not there lists nothing: it answers 404."""
        folder, _, name = key.rpartition("/")
        try:
            async with asyncio.timeout(_SECONDS_OF_ONE):
                stream = obstore.list(self._store, folder, offset=f"{folder}/{name[:-1]}")
                async for page in stream:
                    return next((int(item["size"]) for item in page if item["path"] == key), None)
        except (BaseError, OSError) as error:
            raise ObjectStoreAway(type(error).__name__) from error
        return None

    async def of_case(self, process_number: str) -> dict[str, int]:
        """By key, every object of the case: a request for a thousand of them."""
        folder = f"processes/{parse(process_number).digits}/documents"
        sizes: dict[str, int] = {}
        try:
            async with asyncio.timeout(_SECONDS_OF_ALL):
                async for page in obstore.list(self._store, folder, chunk_size=1_000):
                    sizes |= {item["path"]: int(item["size"]) for item in page}
        except (BaseError, OSError) as error:
            raise ObjectStoreAway(type(error).__name__) from error
        return sizes
