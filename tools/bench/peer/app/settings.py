"""Where everything is, from the environment (PEER_*)."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """``chunk`` is how many documents one task fetches."""

    database_url: str
    redis_url: str
    source_url: str
    source_token: str
    s3_endpoint: str
    s3_bucket: str
    s3_access_key_id: str
    s3_secret_access_key: str
    webhook_secret: str
    chunk: int

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises KeyError for what is not set."""
        return cls(
            database_url=os.environ["PEER_DATABASE_URL"],
            redis_url=os.environ["PEER_REDIS_URL"],
            source_url=os.environ["PEER_SOURCE_URL"],
            source_token=os.environ["PEER_SOURCE_TOKEN"],
            s3_endpoint=os.environ["PEER_S3_ENDPOINT"],
            s3_bucket=os.environ["PEER_S3_BUCKET"],
            s3_access_key_id=os.environ["PEER_S3_ACCESS_KEY_ID"],
            s3_secret_access_key=os.environ["PEER_S3_SECRET_ACCESS_KEY"],
            webhook_secret=os.environ["PEER_WEBHOOK_SECRET"],
            chunk=int(os.environ.get("PEER_CHUNK", "1")),
        )
