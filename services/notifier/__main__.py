"""``python -m services.notifier``."""

from __future__ import annotations

from services.notifier.settings import NotifierSettings
from services.notifier.worker import run_worker
from shared.service import run_service

if __name__ == "__main__":
    raise SystemExit(run_service("notifier", NotifierSettings, run_worker))
