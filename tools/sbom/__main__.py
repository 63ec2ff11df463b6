"""``python -m tools.sbom [TARGET...]``."""

import sys

from tools.sbom.write import main

raise SystemExit(main(sys.argv[1:]))
