"""``python -m services.downloader``."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    # What is imported stays: no collector need look at it meanwhile. run_service lets it look again.
    gc.disable()

from services.downloader.settings import DownloaderSettings
from services.downloader.worker import run_worker
from shared.service import run_service

if __name__ == "__main__":
    raise SystemExit(run_service("downloader", DownloaderSettings, run_worker))
