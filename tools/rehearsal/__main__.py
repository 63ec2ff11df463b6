"""``python -m tools.rehearsal five-questions [--end | --answers]``: set a situation up, end it, or tell what it was."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from autos.context import data_dir
from tools.rehearsal.five_questions import ANSWERS, QUESTIONS, FiveQuestions
from tools.rehearsal.running import NotReady, RehearsalStack, start_stack


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status, 1 when the stack did not come into the situation."""
    parser = argparse.ArgumentParser(prog="python -m tools.rehearsal", description=__doc__)
    parser.add_argument("situation", choices=["five-questions"])
    parser.add_argument("--end", action="store_true", help="let everything work again; the stack stays up")
    parser.add_argument("--answers", action="store_true", help="what there was to find, and where")
    parser.add_argument("--data-dir", type=Path, help="the stack's; AUTOS_DATA_DIR or .autos")
    chosen = parser.parse_args(arguments)
    if chosen.answers:
        print(ANSWERS)
        return 0
    directory = chosen.data_dir or data_dir()
    try:
        if not chosen.end:
            start_stack(directory)
        with RehearsalStack(directory) as stack:
            situation = FiveQuestions(stack, lambda text: print(text, flush=True))
            if chosen.end:
                situation.end()
                print(
                    "Everything works again: what waited is done within two minutes; the webhook at its next attempt,"
                    " or by 'Send again'. `autos down` stops the stack."
                )
                return 0
            situation.begin()
            print(f"\n  open  {stack.page_url}\n{QUESTIONS}")
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
