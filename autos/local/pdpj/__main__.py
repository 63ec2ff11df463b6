"""``python -m autos.local.pdpj --host 127.0.0.1 --port N``: run the simulator until SIGTERM or SIGINT.

AUTOS_PDPJ_ACCESS_TOKEN and AUTOS_PDPJ_REFRESH_TOKEN of its environment, which the product is given too, are valid
tokens from the start. When it serves it prints one line that ends with its address.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable

from autos.local.pdpj.server import serve


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: it takes a fifth less CPU for documents of 100 kB."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _announce(address: str) -> None:
    print(f"pdpj simulator listening on {address}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m autos.local.pdpj", description="The PDPJ simulator.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    options = parser.parse_args()
    access = [token for token in (os.environ.get("AUTOS_PDPJ_ACCESS_TOKEN"),) if token]
    refresh = [token for token in (os.environ.get("AUTOS_PDPJ_REFRESH_TOKEN"),) if token]
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(
                serve(options.host, options.port, access_tokens=access, refresh_tokens=refresh, on_ready=_announce)
            )
    except OSError as error:
        print(f"the PDPJ simulator cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
