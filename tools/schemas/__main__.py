"""``python -m tools.schemas [--check]``."""

import sys

from tools.schemas.write import main

raise SystemExit(main(sys.argv[1:]))
