"""The settings of the downloader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field, field_validator

from shared.settings import AlertSettings, DatabaseSettings, Delays, KafkaSettings, StorageSettings
from sources.settings import SourceSettings

_LONGEST_DELAY_SECONDS = 86_400.0


class DownloaderSettings(AlertSettings, DatabaseSettings, KafkaSettings, StorageSettings, SourceSettings):
    """Database, broker, object store and source, how much is done at once, and who is told of trouble."""

    download_concurrency: Annotated[int, Ge(1), Le(512)] = 32
    """Documents that one worker handles at once, of all cases."""
    download_per_process: Annotated[int, Ge(1), Le(512)] = 5
    """Documents of one case (a court's process) that are handled at once, by all workers and for all jobs together."""
    download_retry_delays: Delays = (5.0, 30.0, 120.0)
    """Seconds before the second, third, ... attempt; what fails once more after the last has failed for good."""
    download_read_ahead: int = Field(4_000, ge=1, le=100_000)
    """Records that wait in memory for each partition; what lies behind them is not seen by the turns of the cases."""
    download_window: int = Field(256, ge=4, le=10_000)
    """Documents of one job that are requested at once; the next ones follow as these have their turns. Ten large cases
    in one partition should fit into what is read ahead, with one and a half windows each. A window is one transaction,
    which the broker must take within ten seconds."""
    source_concurrency: Annotated[int, Ge(1), Le(10_000)] = 64
    """Requests that all workers together have open at the source."""
    plan_concurrency: int = Field(16, ge=2, le=256)
    """Jobs planned at once."""
    discovery_timeout: float = Field(90.0, gt=0, le=600)
    """Seconds for reading a case from the source, the wait for a place included."""

    document_retention_days: float | None = Field(None, gt=0, le=36_500)
    """Days that a document's bytes are kept after they were stored; by default for ever. Its metadata stays, it is
    shown as failed (``retention_expired``), and asking again fetches it again."""

    @field_validator("download_retry_delays")
    @classmethod
    def _bounded(cls, delays: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= delay <= _LONGEST_DELAY_SECONDS for delay in delays):
            raise ValueError("each delay must be between 0 seconds and a day")
        return delays

    @property
    def spool_dir(self) -> Path:
        """Where documents of more than a mebibyte wait between source and store."""
        return self.data_dir / "tmp"
