"""``python -m services.downloader``."""

from __future__ import annotations

from services.downloader.settings import DownloaderSettings
from services.downloader.worker import run_worker
from shared.service import run_service

if __name__ == "__main__":
    raise SystemExit(run_service("downloader", DownloaderSettings, run_worker))
