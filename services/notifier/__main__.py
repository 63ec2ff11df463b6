"""``python -m services.notifier``."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    # What is imported stays: no collector need look at it meanwhile. run_service lets it look again.
    gc.disable()

from services.notifier.settings import NotifierSettings
from services.notifier.worker import run_worker
from shared.service import run_service

if __name__ == "__main__":
    raise SystemExit(run_service("notifier", NotifierSettings, run_worker))
