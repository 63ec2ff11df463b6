"""``python -m autos.local.demo_client FILE``: make the client of a demonstration, and write its webhook secret to FILE.

AUTOS_DATABASE_URL is the owner's; AUTOS_DEMO_API_KEY becomes the client's API key,
AUTOS_SECRETS_KEY encrypts what is stored. For the Compose profile ``demo``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ops.clients import ensure_dev_client
from shared.secrets.keys import SecretKeys, listed_keys


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m autos.local.demo_client FILE\n")
        return 2
    key = os.environ.get("AUTOS_DEMO_API_KEY")
    if not key:
        sys.stderr.write("AUTOS_DEMO_API_KEY is not set: it becomes the API key of the client\n")
        return 2
    secrets = SecretKeys(listed_keys(os.environ.get("AUTOS_SECRETS_KEY", "")))
    client = ensure_dev_client(os.environ["AUTOS_DATABASE_URL"], api_key=key, secrets=secrets)
    place = Path(arguments[0])
    place.touch(mode=0o600)
    place.write_text(client.webhook_secret)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
