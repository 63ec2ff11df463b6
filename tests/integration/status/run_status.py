"""The status service as its entry point runs it, on a topic of the test's own: ``run_status.py TOPIC``."""

from __future__ import annotations

import sys
from functools import partial

from services.status.__main__ import main
from services.status.settings import StatusSettings
from shared.service import run_service

if __name__ == "__main__":
    sys.exit(run_service("status", StatusSettings, partial(main, topic=sys.argv[1])))
