"""``python -m tools.postman.generate [--check]``: write docs/postman/autos.postman_collection.json, or compare it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from services.api.app import create_app
from services.api.settings import ApiSettings
from shared.domain.case import Case
from shared.domain.cnj import ProcessNumber
from tools.postman.flows import flows
from tools.postman.items import BEARER, DEFAULT_WEBHOOK_URL, SCHEMA, stable_id
from tools.postman.reference import reference

COLLECTION: Final = Path(__file__).parents[2] / "docs" / "postman" / "autos.postman_collection.json"

# What a person sets; the rest is set by the requests themselves.
_SETTINGS: Final = {
    "base_url": "http://127.0.0.1:8000",
    "api_key": "",
    "process_number": "1000145-91.2023.8.26.0597",
    "other_process_number": "5000315-75.2025.4.03.6327",
    "webhook_url": DEFAULT_WEBHOOK_URL,
}
_FILLED_IN: Final = (
    "job_id",
    "document_id",
    "document_size",
    "delivery_id",
    "deletion_id",
    "endpoint_id",
    "etag",
    "tries",
)
_NO_ID: Final = "00000000-0000-4000-8000-000000000000"


class _NoSource:
    """The document needs no source."""

    async def fetch_case(self, number: ProcessNumber) -> Case:
        raise RuntimeError("the document is made without a source")

    async def last_update(self, number: ProcessNumber, *, within: float | None = None) -> str | None:
        raise RuntimeError("the document is made without a source")

    async def aclose(self) -> None:
        return None


def openapi_document() -> dict[str, Any]:
    """What ``GET /openapi.json`` answers, without a server."""
    # Never dialled: the document is made from the routes.
    given = {
        "database_url": "postgresql://nobody@127.0.0.1:9/none",
        "kafka_bootstrap_servers": "127.0.0.1:9",
        "pdpj_base_url": "http://127.0.0.1:9",
        "pdpj_access_token": "unused",
        "s3_endpoint_url": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "unused",
        "AWS_SECRET_ACCESS_KEY": "unused",
    }
    app = create_app(ApiSettings(_env_file=None, **given), source=_NoSource())  # type: ignore[arg-type]
    return app.openapi()


def collection(document: dict[str, Any]) -> dict[str, Any]:
    """The whole collection, format 2.1."""
    variables = {**_SETTINGS, **{name: _NO_ID if name.endswith("_id") else "" for name in _FILLED_IN}}
    return {
        "info": {
            "_postman_id": stable_id("collection"),
            "name": f"{document['info']['title']} {document['info']['version']}",
            "description": document["info"]["description"],
            "schema": SCHEMA,
        },
        "auth": BEARER,
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in variables.items()],
        "item": [flows(), reference(document)],
    }


def text() -> str:
    """The file as it should be."""
    return json.dumps(collection(openapi_document()), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the collection, or with ``--check`` compare it; 1 when it is another one."""
    parser = argparse.ArgumentParser(prog="python -m tools.postman.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the file is out of date")
    made = text()
    if parser.parse_args(arguments).check:
        if not COLLECTION.is_file() or COLLECTION.read_text() != made:
            sys.stderr.write(f"{COLLECTION.name} is out of date: run python -m tools.postman.generate\n")
            return 1
        return 0
    COLLECTION.parent.mkdir(parents=True, exist_ok=True)
    COLLECTION.write_text(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
