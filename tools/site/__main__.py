"""``python -m tools.site [FOLDER]``: build the documentation into FOLDER (build/docs), without the network.

Status 1, with the reasons on standard error, when Sphinx warns of anything (a link, an anchor, a picture, a page in no
section) or the built pages load something from elsewhere.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.site.built import faults
from tools.site.outward import DOCS, ROOT

TARGET: Final = ROOT / "build" / "docs"


def main(arguments: Sequence[str]) -> int:
    """The command line; the exit status."""
    if len(arguments) > 1:
        sys.stderr.write("usage: python -m tools.site [FOLDER]\n")
        return 2
    return build(DOCS, Path(arguments[0]).resolve() if arguments else TARGET)


def build(pages: Path, target: Path) -> int:
    """Build the pages below a folder into another, which is made anew; the exit status. Says what is wrong."""
    from sphinx.cmd.build import build_main

    if target.exists() and any(target.iterdir()) and not (target / "objects.inv").exists():
        sys.stderr.write(f"{target} holds something else than this site: name an empty folder\n")
        return 2
    # What a page that is gone has left would be taken for a part of the site.
    shutil.rmtree(target, ignore_errors=True)
    settings = ["-c", str(Path(__file__).parent), "-d", str(target.with_name(f"{target.name}.doctrees"))]
    # Everything anew (-E -a), quiet, each warning a fault, and all of them shown.
    status: int = build_main(["-b", "html", "-E", "-a", "-q", "-W", "--keep-going", *settings, str(pages), str(target)])
    wrong = faults(target)
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    if status or wrong:
        return 1
    print(f"the site is in {target}: open {target / 'index.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
